//! Whoever sits at the terminal, or what standard input holds.

use super::transcript::Captured;
use biotrack_auth::system::{Input, KeyInputGuard, Signals, Terminal, TypedInput};
use std::collections::VecDeque;
use std::io::{self, BufRead, Cursor};
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

/// A person with answers ready, or nobody and the bytes of standard input.
#[derive(Default)]
pub struct Person {
    there: bool,
    columns: Option<u16>,
    script: Arc<Script>,
}

/// What somebody does while the program waits, whoever tells them when: a browser's visit, or a thread of the test.
#[derive(Clone, Default)]
pub struct Hand {
    /// Whoever hears keys now.
    hears: Arc<Mutex<Option<HearsKeys>>>,
    /// How often Ctrl-C was pressed.
    interrupts: watch::Sender<usize>,
}

type HearsKeys = Box<dyn FnMut(TypedInput) + Send>;

impl Hand {
    /// Types single keys, where they are heard.
    pub fn types(&self, keys: &str) {
        keys.chars().for_each(|key| self.gives(TypedInput::Key(key)));
    }

    /// Pastes an address, and presses Enter.
    pub fn pastes(&self, address: &str) {
        self.gives(TypedInput::Address(address.to_owned()));
    }

    /// Presses Ctrl-C.
    pub fn interrupts(&self) {
        self.interrupts.send_modify(|count| *count += 1);
    }

    /// The signals of a process at whose terminal this hand is.
    pub(super) fn signals(&self) -> Signals {
        Signals::ByHand(self.interrupts.subscribe())
    }

    #[track_caller]
    fn gives(&self, typed: TypedInput) {
        let mut hears = self.hears.lock().unwrap();
        hears.as_mut().unwrap_or_else(|| panic!("{typed:?} was typed where no key is heard"))(typed);
    }
}

/// Keys are heard until this is dropped.
struct Heard(Arc<Mutex<Option<HearsKeys>>>);

impl Drop for Heard {
    fn drop(&mut self) {
        *self.0.lock().unwrap() = None;
    }
}

#[derive(Default)]
struct Script {
    /// A part of each question, and its answer, in their order.
    answers: Mutex<VecDeque<(String, String)>>,
    /// Typed as soon as keys are heard.
    keys: Mutex<Vec<TypedInput>>,
    standard_input: Mutex<Vec<u8>>,
    terminal: bool,
    /// Every question is answered with Ctrl-C.
    interrupts: bool,
    /// Questions are answered, and keys aren't read meanwhile.
    has_no_keys: bool,
    hand: Hand,
    /// What others do while the next questions wait for their answers, one after the other.
    meanwhile: Mutex<VecDeque<Meanwhile>>,
}

type Meanwhile = Box<dyn FnOnce() + Send>;

impl Person {
    /// Somebody at a terminal who answers these questions, each named by a part of its words, in this order. `^C`
    /// interrupts.
    pub fn answering(answers: &[(&str, &str)]) -> Self {
        let answers =
            answers.iter().map(|(question, answer)| ((*question).into(), (*answer).into())).collect();
        let script = Script { answers: Mutex::new(answers), terminal: true, ..Script::default() };
        Self { there: true, columns: None, script: Arc::new(script) }
    }

    /// Somebody who is asked nothing.
    pub fn watching() -> Self {
        Self::answering(&[])
    }

    /// Somebody who interrupts whatever is asked.
    pub fn interrupting() -> Self {
        let script = Script { terminal: true, interrupts: true, ..Script::default() };
        Self { there: true, columns: None, script: Arc::new(script) }
    }

    /// Somebody who is asked nothing, at a terminal that gives no single keys.
    pub fn without_keys() -> Self {
        let script = Script { terminal: true, has_no_keys: true, ..Script::default() };
        Self { there: true, columns: None, script: Arc::new(script) }
    }

    /// Nobody; standard input holds this.
    pub fn piping(bytes: impl Into<Vec<u8>>) -> Self {
        let script = Script { standard_input: Mutex::new(bytes.into()), ..Script::default() };
        Self { there: false, columns: None, script: Arc::new(script) }
    }

    /// Somebody at a terminal who pastes a line where one is read.
    pub fn pasting(line: &str) -> Self {
        let person = Self::watching();
        *person.script.standard_input.lock().unwrap() = line.into();
        person
    }

    /// The same, typing or pasting this as soon as keys are heard.
    pub fn typing(self, keys: impl IntoIterator<Item = TypedInput>) -> Self {
        self.script.keys.lock().unwrap().extend(keys);
        self
    }

    /// The same, who takes their time over the next question: others do this before it's answered.
    pub fn while_others(self, act: impl FnOnce() + Send + 'static) -> Self {
        self.script.meanwhile.lock().unwrap().push_back(Box::new(act));
        self
    }

    /// The same at a terminal of another width than 100 columns.
    pub fn with_columns(self, columns: u16) -> Self {
        Self { columns: Some(columns), ..self }
    }

    /// What types, pastes and interrupts while the program waits.
    pub fn hand(&self) -> Hand {
        self.script.hand.clone()
    }

    pub(super) fn terminal(&self, out: &Captured, err: &Captured) -> Terminal {
        let input = ScriptedInput { script: self.script.clone(), echo: err.clone() };
        let terminal =
            Terminal::captured(Box::new(out.clone()), Box::new(err.clone())).with_input(Arc::new(input));
        match self.there {
            true => terminal.with_person(self.columns.unwrap_or(100)),
            false => terminal,
        }
    }

    /// Every answer was asked for.
    #[track_caller]
    pub(super) fn said_all(&self) {
        let left = self.script.answers.lock().unwrap();
        assert!(left.is_empty(), "these questions were never asked: {left:?}");
    }
}

struct ScriptedInput {
    script: Arc<Script>,
    /// What a terminal would show: the question and what was typed.
    echo: Captured,
}

impl ScriptedInput {
    fn answer(&self, question: &str, shown: bool) -> io::Result<String> {
        if self.script.interrupts {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let next = self.script.answers.lock().unwrap().pop_front();
        let (part, answer) = next.unwrap_or_else(|| panic!("nobody expected the question \"{question}\""));
        assert!(question.contains(&part), "\"{question}\" was asked where \"{part}\" was expected");
        let meanwhile = self.script.meanwhile.lock().unwrap().pop_front();
        if let Some(act) = meanwhile {
            act();
        }
        self.echo.add(&format!("{question}: {}\n", if shown { answer.as_str() } else { "[hidden]" }));
        match answer.as_str() {
            "^C" => Err(io::ErrorKind::Interrupted.into()),
            _ => Ok(answer),
        }
    }
}

impl Input for ScriptedInput {
    fn ask(&self, question: &str, default: Option<&str>) -> io::Result<String> {
        let shown = match default {
            Some(default) if !default.is_empty() => format!("{question} [{default}]"),
            _ => question.to_owned(),
        };
        let answer = self.answer(&shown, true)?;
        Ok(if answer.is_empty() { default.unwrap_or_default().to_owned() } else { answer })
    }

    fn ask_secret(&self, question: &str) -> io::Result<secrecy::SecretString> {
        self.answer(question, false).map(Into::into)
    }

    fn confirm(&self, question: &str) -> io::Result<bool> {
        self.answer(question, true).map(|answer| answer == "y")
    }

    fn choose(&self, question: &str, among: &[String]) -> io::Result<usize> {
        let answer = self.answer(&format!("{question} ({})", among.join(" / ")), true)?;
        let found = among.iter().position(|choice| choice.contains(&answer));
        Ok(found.unwrap_or_else(|| panic!("{answer} is none of {among:?}")))
    }

    fn is_terminal(&self) -> bool {
        self.script.terminal
    }

    fn bytes(&self) -> Box<dyn BufRead + '_> {
        Box::new(Cursor::new(std::mem::take(&mut *self.script.standard_input.lock().unwrap())))
    }

    fn keys(&self, mut handle: Box<dyn FnMut(TypedInput) + Send>) -> Option<KeyInputGuard> {
        if self.script.has_no_keys {
            return None;
        }
        for typed in self.script.keys.lock().unwrap().drain(..) {
            handle(typed);
        }
        let hears = &self.script.hand.hears;
        *hears.lock().unwrap() = Some(handle);
        Some(Box::new(Heard(hears.clone())))
    }
}
