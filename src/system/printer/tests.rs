//! A reader that stops reading holds nobody up, and what it missed is counted.

use super::{PrintTarget, Printer, Stream};
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// A stream whose reader can stop reading.
#[derive(Clone, Default)]
struct Reader(Arc<(Mutex<Read>, Condvar)>);

#[derive(Default)]
struct Read {
    text: String,
    has_stopped: bool,
    is_gone: bool,
    /// Somebody waits for this reader.
    is_waited_for: bool,
}

impl Reader {
    fn stream(&self) -> Stream {
        Box::new(self.clone())
    }

    fn set(&self, change: impl FnOnce(&mut Read)) {
        change(&mut self.0.0.lock().unwrap());
        self.0.1.notify_all();
    }

    fn stops(&self) {
        self.set(|read| read.has_stopped = true);
    }

    fn goes_on(&self) {
        self.set(|read| read.has_stopped = false);
    }

    fn text(&self) -> String {
        self.0.0.lock().unwrap().text.clone()
    }

    fn until(&self, is_so: impl Fn(&Read) -> bool) {
        drop(self.0.1.wait_while(self.0.0.lock().unwrap(), |read| !is_so(read)).unwrap());
    }
}

impl Write for Reader {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut read = self.0.0.lock().unwrap();
        while read.has_stopped {
            read.is_waited_for = true;
            self.0.1.notify_all();
            read = self.0.1.wait(read).unwrap();
        }
        if read.is_gone {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        read.text.push_str(std::str::from_utf8(bytes).unwrap());
        self.0.1.notify_all();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Both streams to one reader.
fn to_one_place() -> (Printer, Reader) {
    let reader = Reader::default();
    (Printer::on_threads(reader.stream(), reader.stream(), true, None), reader)
}

fn line(nth: usize) -> String {
    format!("{nth} {}\n", "x".repeat(1000))
}

#[test]
fn both_streams_keep_their_order_at_one_place() {
    let (printer, reader) = to_one_place();
    printer.print(PrintTarget::Err, b"one\n");
    printer.write(b"two\n").unwrap();
    printer.print(PrintTarget::Out, b"three\n");
    printer.print(PrintTarget::Err, b"four\n");
    printer.finish();
    assert_eq!(reader.text(), "one\ntwo\nthree\nfour\n");
}

#[test]
fn a_reader_that_stopped_holds_nobody_up_and_hears_how_much_it_missed() {
    let (printer, reader) = to_one_place();
    reader.stops();
    for nth in 0..3000 {
        printer.print(PrintTarget::Err, line(nth).as_bytes());
    }
    assert_eq!(reader.text(), "");
    reader.goes_on();
    printer.finish();
    let text = reader.text();
    let (whole, missed) = text.trim_end().rsplit_once('\n').unwrap();
    let printed = whole.lines().count();
    assert!(whole.lines().enumerate().all(|(nth, it)| format!("{it}\n") == line(nth)), "{printed}");
    assert!((1000..2000).contains(&printed), "{printed}");
    assert_eq!(missed, format!("{} lines could not be printed.", 3000 - printed));
    printer.print(PrintTarget::Err, b"and on\n");
    printer.finish();
    assert!(reader.text().ends_with("printed.\nand on\n"));
}

#[test]
fn what_a_reader_of_standard_output_missed_is_told_on_standard_error() {
    let (out, err) = (Reader::default(), Reader::default());
    let printer = Printer::on_threads(out.stream(), err.stream(), false, None);
    out.stops();
    for nth in 0..2000 {
        printer.print(PrintTarget::Out, line(nth).as_bytes());
    }
    // The other stream's reader isn't held up.
    printer.print(PrintTarget::Err, b"talk\n");
    err.until(|read| read.text == "talk\n");
    out.goes_on();
    printer.finish();
    let missed = 2000 - out.text().lines().count();
    assert_eq!(err.text(), format!("talk\n{missed} lines could not be printed.\n"));
}

#[test]
fn an_answer_is_whole_whenever_its_reader_comes() {
    let (printer, reader) = to_one_place();
    reader.stops();
    let long = "y".repeat(3 * 1024 * 1024);
    std::thread::scope(|scope| {
        let answer = scope.spawn(|| printer.write(long.as_bytes()));
        reader.until(|read| read.is_waited_for);
        reader.goes_on();
        answer.join().unwrap().unwrap();
    });
    assert!(reader.text() == long);
}

#[test]
fn a_reader_that_has_gone_is_known() {
    let (printer, reader) = to_one_place();
    reader.set(|read| read.is_gone = true);
    assert!(!printer.nobody_reads());
    printer.print(PrintTarget::Out, b"one\n");
    printer.finish();
    assert!(printer.nobody_reads());
    assert_eq!(printer.write(b"two\n").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
}

#[test]
fn the_end_waits_for_no_reader_that_takes_nothing() {
    let (out, err) = (Reader::default(), Reader::default());
    let printer = Printer::on_threads(out.stream(), err.stream(), true, Some(Duration::ZERO));
    err.stops();
    printer.print(PrintTarget::Err, b"talk\n");
    printer.finish();
    assert_eq!(err.text(), "");
}

#[test]
fn what_moves_stays_below_what_is_printed_and_is_gone_at_the_end() {
    let (printer, reader) = to_one_place();
    let moving = printer.moving();
    moving.show("waiting\nfor ann".into());
    reader.until(|read| read.text.ends_with("for ann"));
    printer.print(PrintTarget::Out, b"granted\n");
    reader.until(|read| read.text.matches("for ann").count() == 2);
    drop(moving);
    printer.finish();
    let erased = "\r\x1b[1A\x1b[J";
    assert_eq!(reader.text(), format!("waiting\nfor ann{erased}granted\nwaiting\nfor ann{erased}"));
}

#[test]
fn what_moves_is_not_drawn_behind_a_question() {
    let (printer, reader) = to_one_place();
    let moving = printer.moving();
    moving.show("waiting".into());
    reader.until(|read| read.text.ends_with("waiting"));
    printer.print(PrintTarget::Err, b"Passphrase: ");
    printer.print(PrintTarget::Err, b"\n");
    reader.until(|read| read.text.matches("waiting").count() == 2);
    drop(moving);
    printer.finish();
    assert_eq!(reader.text(), "waiting\r\x1b[JPassphrase: \nwaiting\r\x1b[J");
}
