//! The store in a container of Azure's, by a server that answers as Azure does and checks signatures.

use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::keeping::COUNT;
use super::{few_hours, sealed, succeeds};
use crate::disk_faults::FaultyDisk;
use crate::support::{Ended, Port, emp_events, eventually, file, run};

/// The account that such servers have, with the key that everybody knows.
const ACCOUNT: &str = "devstoreaccount1";
const KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

struct Azure {
    process: Child,
    port: Port,
    home: TempDir,
}

impl Azure {
    fn start() -> Self {
        let (port, home) = (Port::claim(), tempfile::tempdir().unwrap());
        let program = file("tests/azure/node_modules/azurite/dist/src/blob/main.js");
        assert!(program.is_file(), "no azurite is installed (make test does it)");
        let mut command = Command::new("node");
        command.arg(program).args(["--silent", "--disableTelemetry", "--inMemoryPersistence", "--blobPort"]);
        command.arg(port.number.to_string());
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut azure = Self { process, port, home };
        eventually("it answers", || {
            assert!(azure.process.try_wait().unwrap().is_none(), "azurite has ended");
            TcpStream::connect(("127.0.0.1", azure.port.number)).is_ok()
        });
        azure.objects("make", &[], &[]);
        azure
    }

    fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}/{ACCOUNT}", self.port.number)
    }

    /// Past the program that is tested.
    fn objects(&self, action: &str, words: &[&str], bytes: &[u8]) -> String {
        let mut command = Command::new("node");
        command.arg(file("tests/suite/bucket/azure_objects.mjs")).args([&self.endpoint(), "events", KEY, action]);
        let mut child =
            command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(bytes).unwrap();
        let ended = Ended::from(child.wait_with_output().unwrap());
        succeeds(&ended);
        ended.stdout
    }

    fn ask(&self, store: &str, words: &[&str]) -> Command {
        let mut command = emp_events();
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("AZURE_")) {
                command.env_remove(name);
            }
        }
        command.env("AZURE_STORAGE_ACCOUNT_NAME", ACCOUNT).env("AZURE_STORAGE_ACCOUNT_KEY", KEY);
        command.env("AZURE_STORAGE_ENDPOINT", self.endpoint());
        command.env("HOME", self.home.path()).env_remove("XDG_CACHE_HOME");
        command.args(["--store", store]).args(words);
        command
    }

    fn archive(&self, store: &Path, url: &str) -> Command {
        self.ask(store.to_str().unwrap(), &["archive", "--to", url])
    }
}

impl Drop for Azure {
    fn drop(&mut self) {
        // It does not end when it is asked to.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn azure_holds_the_store_as_well() {
    let (azure, folder, clock) = (Azure::start(), few_hours(), FaultyDisk::make());
    let store = folder.path().join("store");
    let (here, url) = (store.to_str().unwrap(), "az://events/team/one");
    let files = sealed(&store);
    let before = run(&mut azure.ask(here, &COUNT)).stdout;

    let wrong = run(azure.archive(&store, url).env("AZURE_STORAGE_ACCOUNT_KEY", "d3Jvbmc="));
    assert!(wrong.status == 1 && wrong.stderr.contains("is refused"), "{}", wrong.stderr);
    let nobody = run(azure.archive(&store, url).env_remove("AZURE_STORAGE_ACCOUNT_KEY"));
    assert!(nobody.status == 1 && nobody.stderr.contains("no credentials for az://events"), "{}", nobody.stderr);
    let elsewhere = run(&mut azure.archive(&store, "az://nobodys/p"));
    assert!(elsewhere.status == 1 && elsewhere.stderr.contains("there is no bucket `nobodys`"), "{}", elsewhere.stderr);
    assert_eq!(azure.objects("names", &[], &[]), "", "nothing was put by any of them");

    succeeds(&run(&mut azure.archive(&store, url)));
    let again = run(&mut azure.archive(&store, url));
    assert!(again.status == 0 && again.stdout.starts_with("put 0 files"), "{}{}", again.stdout, again.stderr);
    let names = azure.objects("names", &[], &[]);
    assert!(files.keys().all(|name| names.lines().any(|found| found == format!("team/one/{name}"))), "{names}");
    for _ in 0..2 {
        let there = run(&mut azure.ask(url, &COUNT));
        assert_eq!(there.stdout, before, "{}", there.stderr);
    }
    let verify = || run(&mut azure.ask(url, &["verify"]));
    let ended = verify();
    assert!(ended.status == 0 && ended.stdout.contains("all is sound"), "{}{}", ended.stdout, ended.stderr);

    // What is there leaves the disk, and is part of the store as before.
    clock.says("none 1000");
    succeeds(&run(azure.archive(&store, url).args(["--keep-local", "1s"]).envs(clock.environment(&store))));
    assert!(sealed(&store).is_empty());
    let there = run(&mut azure.ask(here, &COUNT));
    assert_eq!(there.stdout, before, "{}", there.stderr);

    let (name, mut bytes) = files.into_iter().next().unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    azure.objects("put", &[&format!("team/one/{name}")], &bytes);
    let ended = verify();
    assert!(ended.status == 1 && ended.stdout.contains(&name), "{}{}", ended.stdout, ended.stderr);
}
