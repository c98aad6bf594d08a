//! The machine as the program sees it: what `main` makes once and hands down, and the network's runtime with it.

use super::programs::{from_folder, startable};
use super::{
    Browser, Clock, Http, HttpOptions, InterruptCounter, KeyringThread, Network, NoObserver, OsRandom, Paths,
    ProcessReplacer, Random, ReplaceOutcome, Signals, StepObserver, Surroundings, SystemBrowser, SystemClock,
    SystemNetwork, Terminal, Variables, boot, files, replace_process, signals, threads,
};
use crate::error::{Error, Result, clean};
use std::sync::{Arc, OnceLock};

/// The machine, as far as the program may see it.
pub struct Env {
    /// The time; only `--at` and the demo differ from it.
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    pub browser: Arc<dyn Browser>,
    pub network: Arc<dyn Network>,
    /// The OS keyring; nothing is asked of it before its first use.
    pub keyring: Arc<KeyringThread>,
    /// What puts another program in this process's place.
    pub successor: Arc<dyn ProcessReplacer>,
    /// The environment's variables, as they were at the start.
    pub variables: Variables,
    /// Where config, ledger and identity live.
    pub paths: Paths,
    /// Standard input, output and error.
    pub terminal: Terminal,
    /// Who runs this: user and host, for the history.
    pub who: Invoker,
    /// What kind of place this is; `None`: it's looked at where that matters.
    pub surroundings: Option<Surroundings>,
    /// Which start of the machine this is; `None` where the system doesn't tell.
    pub boot: Option<String>,
    /// Who is told between two steps of writing: nobody, but in a test.
    pub steps: Arc<dyn StepObserver>,
    /// Where Ctrl-C and the polite signals come from.
    pub signals: Signals,
    /// What the network's tasks run on.
    pub runtime: LazyRuntime,
}

/// The network's runtime, built on first use.
#[derive(Default)]
pub struct LazyRuntime(OnceLock<tokio::runtime::Runtime>);

/// Where a piece of work under way puts a line for the person who waits.
pub type ProgressLine = Box<dyn Fn(String) + Send + Sync>;

/// Who runs the program.
#[derive(Debug, Clone)]
pub struct Invoker {
    /// The OS user's name, or number.
    pub user: String,
    pub host: String,
}

impl Env {
    /// The real machine. From here on the process leaves no core file, and other processes of this user can't read
    /// its memory.
    pub fn system() -> Result<Self> {
        let before = replace_process::SavedLimits::give_up_cores();
        #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
        let variables = Variables::of_a_process(std::env::vars_os())?;
        let paths = Paths::find(&variables)?;
        Ok(Self {
            clock: Arc::new(SystemClock),
            random: Arc::new(OsRandom),
            browser: Arc::new(SystemBrowser),
            who: Invoker::find(&variables),
            terminal: Terminal::system(&variables),
            paths,
            variables,
            network: Arc::new(SystemNetwork),
            keyring: KeyringThread::of_the_platform(),
            successor: Arc::new(before),
            surroundings: None,
            boot: boot::boot(),
            steps: Arc::new(NoObserver),
            signals: Signals::System,
            runtime: LazyRuntime::default(),
        })
    }

    /// The same machine with other folders, another clock and another browser: what the demo runs its commands in.
    pub fn within(&self, paths: Paths, clock: Arc<dyn Clock>, browser: Arc<dyn Browser>) -> Self {
        Self {
            clock,
            random: self.random.clone(),
            browser,
            who: self.who.clone(),
            terminal: self.terminal.again(),
            paths,
            variables: self.variables.clone(),
            network: self.network.clone(),
            keyring: self.keyring.clone(),
            successor: self.successor.clone(),
            surroundings: self.surroundings,
            boot: self.boot.clone(),
            steps: self.steps.clone(),
            signals: self.signals.clone(),
            runtime: LazyRuntime::default(),
        }
    }

    /// What kind of place this is.
    pub fn surroundings(&self) -> Surroundings {
        self.surroundings.unwrap_or_else(|| Surroundings::look(&self.variables))
    }

    /// The network's runtime, built on first use: `status` never builds it.
    /// The main thread stays outside it; work comes back over channels.
    pub fn net(&self) -> Result<tokio::runtime::Handle> {
        if let Some(runtime) = self.runtime.0.get() {
            return Ok(runtime.handle().clone());
        }
        // Its own two, one for look-ups of names and one for signals: tokio itself panics where it gets none.
        threads::rehearse(4)?;
        let log = tracing::dispatcher::get_default(tracing::Dispatch::clone);
        let built = tokio::runtime::Builder::new_multi_thread()
            // One for whoever floods us (S41), whom hyper reads for seconds at a stretch, and one that sees the time is up.
            .worker_threads(2)
            .thread_name("net")
            // What is told there goes where this thread's log goes, until the thread ends.
            .on_thread_start(move || std::mem::forget(tracing::dispatcher::set_default(&log)))
            .enable_all()
            .build()
            .map_err(|e| Error::System {
                what: "the network runtime can't be started",
                reason: e.to_string(),
            })?;
        Ok(self.runtime.0.get_or_init(|| built).handle().clone())
    }

    /// Runs something on the network's runtime and waits for it, without entering it.
    pub fn wait<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Result<T> {
        let (done, wait) = std::sync::mpsc::channel();
        self.net()?.spawn(async move {
            let _ = done.send(work.await);
        });
        wait.recv().map_err(|_| Error::Internal("a network task ended without an answer".into()))
    }

    /// Counts Ctrl-C and the polite signals from now on: for a run that ends between two of its steps.
    pub fn interrupts(&self) -> Result<InterruptCounter> {
        let _inside = self.net()?.enter();
        Ok(self.signals.watch())
    }

    /// Whether what has interrupted us is a hangup.
    pub fn is_hung_up(&self) -> bool {
        signals::hung_up()
    }

    /// Whether a polite signal came by now that didn't end the process.
    pub fn was_interrupted(&self) -> bool {
        self.signals.has_come()
    }

    /// The same as [`Self::wait`], but what the work tells on its way is said, and Ctrl-C or a polite signal ends the
    /// waiting: the work may have had its effect or not. In a run that counts interrupts, the first one lets what is
    /// under way be finished; only the second ends the waiting.
    pub fn wait_and_tell<T: Send + 'static, W: Future<Output = T> + Send + 'static>(
        &self,
        run: Option<&InterruptCounter>,
        work: impl FnOnce(ProgressLine) -> W,
    ) -> Result<T> {
        enum News<T> {
            Done(T),
            Told(String),
            Interrupted { at_once: bool },
        }
        let (news, wait) = std::sync::mpsc::channel();
        let (told, interrupted) = (news.clone(), news.clone());
        let (counted, last) = match run {
            Some(run) => (run.clone(), 2),
            None => (self.interrupts()?, 1),
        };
        // Looked at before the work begins: one that comes while it's under way is always said.
        let first_is_new = last > 1 && !counted.any();
        let work = work(Box::new(move |line| {
            let _ = told.send(News::Told(line));
        }));
        let net = self.net()?;
        net.spawn(async move {
            let _ = news.send(News::Done(work.await));
        });
        let watch = net.spawn(async move {
            if first_is_new {
                counted.clone().come(1).await;
                let _ = interrupted.send(News::Interrupted { at_once: false });
            }
            counted.come(last).await;
            let _ = interrupted.send(News::Interrupted { at_once: true });
        });
        let done = loop {
            match wait.recv() {
                Ok(News::Done(done)) => break Ok(done),
                Ok(News::Told(line)) => self.terminal.info(&line),
                Ok(News::Interrupted { at_once: false }) => self
                    .terminal
                    .info("Finishing the current step first. Press Ctrl-C again to stop at once."),
                Ok(News::Interrupted { at_once: true }) => break Err(Error::Interrupted { next: None }),
                Err(_) => break Err(Error::Internal("a network task ended without an answer".into())),
            }
        };
        watch.abort();
        done
    }

    /// Waits until Ctrl-C, or a polite signal.
    pub fn until_interrupted(&self) -> Result<()> {
        self.wait(self.interrupts()?.come(1))
    }

    /// Puts another program in this process's place, with these variables beside the environment's own. It comes back
    /// only where that fails, or where the system can't do it.
    pub fn replace(
        &self,
        program: &std::ffi::OsStr,
        arguments: &[std::ffi::OsString],
        variables: &[(&str, &str)],
    ) -> ReplaceOutcome {
        self.terminal.finish();
        // Where it runs beside this process, Ctrl-C is its own affair: this one waits for its end.
        #[cfg(not(unix))]
        let _held = match self.interrupts() {
            Ok(held) => held,
            Err(e) => return ReplaceOutcome::Kept(std::io::Error::other(e.to_string())),
        };
        let program = startable(program, &self.variables);
        self.successor.replace(&program, arguments, variables)
    }

    /// The words of a command as it's to be started in a folder: its program is named by its place where the system wouldn't
    /// find it.
    pub fn startable(&self, words: &[String], folder: &std::path::Path) -> Vec<String> {
        let mut words = words.to_vec();
        if let Some(program) = words.first_mut() {
            let placed = from_folder(program, folder).into_owned();
            *program = startable(placed.as_ref(), &self.variables).to_string_lossy().into_owned();
        }
        words
    }

    pub fn http(&self, options: &HttpOptions) -> Result<Http> {
        let _inside = self.net()?.enter();
        self.network.client(options, &self.variables)
    }
}

impl Drop for LazyRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // A name look-up that hangs must not hold the process.
            runtime.shutdown_background();
        }
    }
}

impl Invoker {
    fn find(variables: &Variables) -> Self {
        let user = ["USER", "LOGNAME", "USERNAME"]
            .iter()
            .find_map(|name| variables.get(name))
            .map(clean)
            .unwrap_or_else(files::user_number);
        Self { user, host: clean(&gethostname::gethostname().to_string_lossy()) }
    }
}
