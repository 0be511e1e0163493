//! The API in front of a network that is only a value.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::runtime::Runtime;
use vpc_api::http::{ApplyError, Config, Control, Front, Signatures, listen, serve};
use vpc_model::resource::{Family, PrefixList, Provider, Region, Service};
use vpc_model::{Change, Desired, Id};

/// Applies changes to a value.
#[derive(Clone, Default)]
pub struct InMemory {
    state: Arc<Mutex<(Desired, u64)>>,
}

impl InMemory {
    /// A network of nothing but AWS's own services: S3 and DynamoDB with prefix lists, EC2 without.
    pub fn with_services() -> Self {
        let memory = Self::default();
        let mut changes = Vec::new();
        for (number, region) in ["us-east-1", "us-west-2"].into_iter().enumerate() {
            let region: Region = region.parse().unwrap();
            for (i, service) in ["s3", "dynamodb", "ec2"].into_iter().enumerate() {
                let host = (number * 3 + i) as u8;
                let list = (service != "ec2").then(|| PrefixList {
                    id: Id::derived(&["list", region.as_str(), service]),
                    name: format!("com.amazonaws.{region}.{service}").parse().ok(),
                    family: Family::V4,
                    entries: vec![format!("198.51.100.{}/30", host * 4).parse().unwrap()],
                    max_entries: 1,
                    aws_managed: true,
                });
                changes.push(Change::put(Service {
                    id: Id::derived(&["service", region.as_str(), service]),
                    name: None,
                    service_name: format!("com.amazonaws.{region}.{service}"),
                    region: region.clone(),
                    prefix_list: list.as_ref().map(|list| list.id),
                    provider: Provider::Host {
                        namespace: format!("svc-{region}-{service}"),
                        addresses: vec![[198, 51, 100, host * 4 + 1].into()],
                    },
                }));
                changes.extend(list.map(Change::put));
            }
        }
        let mut state = memory.state.lock().unwrap();
        state.0 = state.0.apply(changes).unwrap();
        drop(state);
        memory
    }
}

impl Control for InMemory {
    fn desired(&self) -> Desired {
        self.state.lock().unwrap().0.clone()
    }

    async fn apply(&self, changes: Vec<Change>) -> Result<u64, ApplyError> {
        let mut state = self.state.lock().unwrap();
        let next = state.0.apply(changes)?;
        *state = (next, state.1 + 1);
        Ok(state.1)
    }
}

/// A server on a port of its own, which ends with this value.
pub struct Server {
    address: SocketAddr,
    _runtime: Runtime,
}

impl Server {
    pub fn start(config: Config) -> Self {
        let runtime = Runtime::new().unwrap();
        let front = Front::new(InMemory::with_services(), config).unwrap();
        let listener = runtime.block_on(listen(([127, 0, 0, 1], 0).into(), Signatures::Off)).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(async move { serve(listener, front).await });
        Self { address, _runtime: runtime }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}
