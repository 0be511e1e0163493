//! The EC2 API in front of the running network.

use std::future::Future;

use anyhow::Context;
use vpc_api::http::{ApplyError, Config, Control, Front, listen, serve};
use vpc_model::{Change, Desired};

use crate::control::Server;
use crate::options::ApiOptions;

impl Control for Server {
    fn desired(&self) -> Desired {
        self.current().desired
    }

    async fn apply(&self, changes: Vec<Change>) -> Result<u64, ApplyError> {
        self.change(changes).await
    }
}

/// Listens, if that was asked for; what is returned serves until that is no longer possible, and says why.
pub(crate) async fn start(
    options: &ApiOptions,
    server: Server,
) -> anyhow::Result<impl Future<Output = anyhow::Error> + use<>> {
    let listening = match options.address {
        None => None,
        Some(address) => {
            let listener = listen(address, options.sigv4).await?;
            let config = Config {
                signatures: options.sigv4,
                keys: options.keys.iter().cloned().collect(),
                lab: options.lab_api,
                ..Config::default()
            };
            let front = Front::new(server, config).context("the system has no randomness")?;
            tracing::info!(address = %listener.local_addr()?, "serving the EC2 API");
            Some((listener, front))
        }
    };
    Ok(async move {
        let Some((listener, front)) = listening else { return std::future::pending().await };
        match serve(listener, front).await {
            Ok(()) => anyhow::anyhow!("the API has stopped"),
            Err(error) => anyhow::Error::new(error).context("cannot serve the API"),
        }
    })
}
