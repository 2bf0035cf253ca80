//! Where the tables are: dynoxide in this process, behind a socket, or MiniStack. Neither has functions, so nothing
//! changes the tables while they are read.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener as Listener},
    path::PathBuf,
    process,
    sync::Mutex,
};

use dynoxide::Database;
use evenkeel::{aws, http::transport};
use evenkeel_cli::{
    Failure, Surroundings, Target,
    aws::{AwsPorts, connect},
};
use serde_json::json;
use tokio::{
    net::TcpListener,
    runtime::{Builder, Runtime},
};
use xtask::{local::Emulator, workspace::Workspace};

use super::{measured_ports::MeasuredPorts, meter::Meter, stack::STACK};

/// What stands in for AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    Dynoxide,
    MiniStack,
}

impl Service {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Dynoxide => "dynoxide-rs",
            Self::MiniStack => "MiniStack",
        }
    }
}

/// A service that answers until it is dropped.
enum Running {
    Dynoxide(Dynoxide),
    MiniStack(Box<Emulator>),
}

/// dynoxide on threads of its own, so that it can go away with all its connections, and come back.
struct Dynoxide {
    database: Database,
    address: SocketAddr,
    runtime: Mutex<Option<Runtime>>,
}

impl Dynoxide {
    fn start() -> Self {
        let database = Database::memory().unwrap();
        let listener = Listener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let runtime = Mutex::new(Some(serving(listener, database.clone())));
        Self { database, address, runtime }
    }

    fn go_away(&self) {
        let runtime = self.runtime.lock().unwrap().take();
        if let Some(runtime) = runtime {
            runtime.shutdown_background();
        }
    }

    /// Listens where it has listened before.
    fn come_back(&self) {
        let listener = Listener::bind(self.address).unwrap();
        *self.runtime.lock().unwrap() = Some(serving(listener, self.database.clone()));
    }
}

/// A runtime that serves the database.
fn serving(listener: Listener, database: Database) -> Runtime {
    listener.set_nonblocking(true).unwrap();
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.spawn(async move {
        let listener = TcpListener::from_std(listener).unwrap();
        dynoxide::server::serve_on(listener, database).await;
    });
    runtime
}

impl Drop for Dynoxide {
    /// A runtime that is dropped within another one panics.
    fn drop(&mut self) {
        self.go_away();
    }
}

/// The service, with a folder that describes it as a local stack.
pub(super) struct Place {
    running: Running,
    endpoint: String,
    folder: PathBuf,
    /// What all ports of this place have used.
    pub(super) meter: Meter,
}

impl Place {
    /// Starts the service.
    pub(super) async fn start(service: Service) -> Self {
        let (running, endpoint) = match service {
            Service::Dynoxide => {
                let dynoxide = Dynoxide::start();
                let endpoint = format!("http://{}", dynoxide.address);
                (Running::Dynoxide(dynoxide), endpoint)
            }
            Service::MiniStack => {
                let workspace = Workspace::find().await.unwrap();
                let emulator = Emulator::ministack(&workspace).await.unwrap();
                let endpoint = emulator.endpoint().to_owned();
                (Running::MiniStack(Box::new(emulator)), endpoint)
            }
        };
        let folder = std::env::temp_dir().join(format!("evenkeel-scale-{}", process::id()));
        let description = json!({
            "endpoint": endpoint,
            "region": "us-east-1",
            "outputs": { "SweeperFunctionName": format!("{STACK}-sweeper") },
        });
        fs::create_dir_all(folder.join("target/local")).unwrap();
        fs::write(folder.join("target/local/stack.json"), description.to_string()).unwrap();
        Self { running, endpoint, folder, meter: Meter::default() }
    }

    /// The configuration of clients that fill the tables.
    pub(super) async fn config(&self) -> aws::Config {
        aws::local::config(transport::client().unwrap(), &self.endpoint).await
    }

    /// Whether the service has queues.
    pub(super) const fn has_queues(&self) -> bool {
        matches!(self.running, Running::MiniStack(_))
    }

    /// What surrounds a command that asks this place with `--local`.
    pub(super) fn surroundings(&self) -> Surroundings {
        let environment = std::iter::empty::<(String, String)>().collect();
        Surroundings { environment, folder: self.folder.clone() }
    }

    /// The ports of a command, with its own settings for time-outs and retries.
    pub(super) async fn ports(&self, target: &Target) -> Result<MeasuredPorts, Failure> {
        let tables: AwsPorts = connect(target).await?;
        let (meter, has_queues) = (self.meter.clone(), self.has_queues());
        Ok(MeasuredPorts { tables, meter, has_queues })
    }

    /// Ends dynoxide, with all its connections. Only dynoxide can do that and keep its tables.
    pub(super) fn go_away(&self) {
        match &self.running {
            Running::Dynoxide(dynoxide) => dynoxide.go_away(),
            Running::MiniStack(_) => panic!("MiniStack would lose its tables"),
        }
    }

    /// Starts dynoxide again, at the same address and with the same tables.
    pub(super) fn come_back(&self) {
        if let Running::Dynoxide(dynoxide) = &self.running {
            dynoxide.come_back();
        }
    }

    /// Ends the service.
    pub(super) async fn stop(self) {
        fs::remove_dir_all(&self.folder).unwrap();
        if let Running::MiniStack(emulator) = self.running {
            emulator.stop().await.unwrap();
        }
    }
}
