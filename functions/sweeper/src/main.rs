//! Two Lambda functions: the sweeper, which EventBridge Scheduler calls each minute, and the operator, which people
//! call. The variable `FUNCTION` says which of them this process is.

use evenkeel::{
    base::config::{ConfigError, Reader},
    lambda::{Allocator, Error, Start, serve_calls},
};
use sweeper::{Sweep, call, operator, ports::Deployed};

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

/// The process: its ports, and whether it is the operator.
struct Process {
    sweep: Sweep<Deployed>,
    is_operator: bool,
}

impl Process {
    async fn start(start: Start) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(&start.environment);
        let is_operator = match reader.optional("FUNCTION").as_deref() {
            None | Some("sweeper") => false,
            Some("operator") => true,
            Some(_) => {
                reader.problem("FUNCTION", "is neither sweeper nor operator");
                false
            }
        };
        let is_operator = reader.finish(is_operator)?;
        Ok(Self { sweep: Sweep::start(start).await?, is_operator })
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let serving = serve_calls(Process::start, async |process, request, deadline| {
        if process.is_operator {
            Box::pin(operator::answer(&process.sweep, &request, deadline)).await
        } else {
            call::answer(&process.sweep, &request, deadline).await
        }
    });
    // The future holds every pass of a tick and lives as long as the process: on the heap.
    Box::pin(serving).await
}
