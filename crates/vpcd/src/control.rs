//! Answers `vpcctl`: the daemon's end of [`vpc_model::control`].

mod names;

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Mutex, watch};
use vpc_api::http::ApplyError;
use vpc_io::Backend;
use vpc_model::Change;
use vpc_model::control::{
    self, Failure, FailureKind, LinkStatus, LinkTraffic, MAX_LINE, Packets, Reply, Request, Status,
};
use vpc_model::lab;
use vpc_packet::{PacketSpec, parse};

use crate::publisher::{Current, Publisher};
use crate::show;
use crate::worker::{Handle, LinkReport, Report, Stopped};

/// Serves any number of clients at once; changes are made one after another.
#[derive(Clone)]
pub(crate) struct Server {
    shared: Arc<Shared>,
}

struct Shared {
    publisher: Arc<Mutex<Publisher>>,
    worker: Handle,
    backend: Backend,
    current: watch::Sender<Current>,
}

impl Server {
    pub(crate) fn new(publisher: Publisher, worker: Handle, backend: Backend) -> Self {
        let (current, _) = watch::channel(publisher.current());
        let publisher = Arc::new(Mutex::new(publisher));
        Self { shared: Arc::new(Shared { publisher, worker, backend, current }) }
    }

    /// The network in force.
    pub(crate) fn current(&self) -> Current {
        self.shared.current.borrow().clone()
    }

    /// Accepts clients until that is no longer possible; returns why.
    pub(crate) async fn serve(&self, listener: std::os::unix::net::UnixListener) -> anyhow::Error {
        let accept = async {
            listener.set_nonblocking(true)?;
            let listener = UnixListener::from_std(listener)?;
            loop {
                match listener.accept().await {
                    Ok((stream, _)) => {
                        let server = self.clone();
                        tokio::spawn(async move { server.converse(stream).await });
                    }
                    // Out of descriptors, or a client that has gone: others may fare better in a moment.
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a client");
                        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                    }
                }
            }
        };
        let result: std::io::Result<std::convert::Infallible> = accept.await;
        match result {
            Ok(never) => match never {},
            Err(error) => anyhow::Error::new(error).context("cannot serve the socket"),
        }
    }

    /// Answers one client until it goes.
    async fn converse(&self, stream: UnixStream) {
        let (input, mut output) = stream.into_split();
        let mut input = BufReader::new(input);
        let mut line = Vec::new();
        loop {
            line.clear();
            match (&mut input).take(MAX_LINE + 1).read_until(b'\n', &mut line).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            let too_long = !line.ends_with(b"\n") && line.len() as u64 > MAX_LINE;
            let reply = if too_long {
                refusal(format!("a request may have {MAX_LINE} bytes at most"))
            } else {
                self.reply(&line).await
            };
            let Ok(mut text) = control::encode(&reply) else {
                return;
            };
            text.push('\n');
            if output.write_all(text.as_bytes()).await.is_err() || too_long {
                return;
            }
        }
    }

    async fn reply(&self, line: &[u8]) -> Reply {
        let Ok(line) = std::str::from_utf8(line) else {
            return refusal("the request is not UTF-8".to_owned());
        };
        match control::decode(line) {
            Ok(request) => self.carry_out(request).await.unwrap_or_else(Reply::Error),
            Err(error) => refusal(error.to_string()),
        }
    }

    async fn carry_out(&self, request: Request) -> Result<Reply, Failure> {
        match request {
            Request::Apply { file, text } => self.apply(file, text).await,
            Request::Explain { sender, packet } => self.explain(&sender, &packet).await,
            Request::Lab {} => Ok(Reply::Lab { text: lab::write(&self.current().desired) }),
            Request::Namespace { of } => {
                let namespace = names::namespace(&self.current(), &of)?;
                Ok(Reply::Namespace { namespace })
            }
            Request::Resources { kind } => {
                Ok(Reply::Resources { resources: show::resources(&self.current().desired, kind) })
            }
            Request::Status {} => {
                let report = self.shared.worker.report().await.map_err(stopped)?;
                Ok(Reply::Status(self.status(&report)))
            }
            Request::Table { kind } => Ok(Reply::Table(show::table(&self.current().desired, kind))),
            Request::Wait { generation } => {
                let mut current = self.shared.current.subscribe();
                let wanted = generation.unwrap_or_default();
                let reached = current.wait_for(|current| current.generation >= wanted).await;
                // The sender is ours: it does not go away while we are asked.
                let generation = reached.map_or(wanted, |current| current.generation);
                Ok(Reply::Ready { generation })
            }
        }
    }

    async fn apply(&self, file: String, text: String) -> Result<Reply, Failure> {
        let mut publisher = Arc::clone(&self.shared.publisher).lock_owned().await;
        let shared = Arc::clone(&self.shared);
        let work = move || {
            let lab =
                lab::read(&text, &file).map_err(|errors| Failure::new(FailureKind::InvalidLab, errors.render()))?;
            let applied = publisher
                .apply(lab.to_desired())
                .map_err(|error| Failure::new(FailureKind::Failed, format!("{error:#}")))?;
            shared.current.send_replace(publisher.current());
            tracing::info!(file, generation = applied.generation, changed = applied.changed, "applied");
            Ok(Reply::Applied(applied))
        };
        let result = tokio::task::spawn_blocking(work).await.context("applying failed");
        result.unwrap_or_else(|error| Err(Failure::new(FailureKind::Failed, format!("{error:#}"))))
    }

    /// Applies changes to whatever the network is by then; returns the generation in force.
    pub(crate) async fn change(&self, changes: Vec<Change>) -> Result<u64, ApplyError> {
        let mut publisher = Arc::clone(&self.shared.publisher).lock_owned().await;
        let shared = Arc::clone(&self.shared);
        let work = move || {
            let desired = publisher.current().desired.apply(changes)?;
            let applied = publisher.apply(desired).map_err(|error| ApplyError::Failed(format!("{error:#}")))?;
            shared.current.send_replace(publisher.current());
            tracing::debug!(generation = applied.generation, changed = applied.changed, "applied by the API");
            Ok(applied.generation)
        };
        let result = tokio::task::spawn_blocking(work).await;
        result.unwrap_or_else(|error| Err(ApplyError::Failed(format!("applying failed: {error}"))))
    }

    async fn explain(&self, sender: &str, packet: &str) -> Result<Reply, Failure> {
        let bad = |error: String| Failure::new(FailureKind::BadRequest, error);
        let spec: PacketSpec = packet.parse().map_err(|error| bad(format!("{error}")))?;
        let parsed = parse(&spec.to_buf()).map_err(|error| bad(format!("'{packet}' is not a packet: {error}")))?;
        let link = names::link(&self.current(), sender, parsed.tuple.src)?;
        let explanation = self.shared.worker.explain(link, parsed).await.map_err(stopped)?;
        Ok(Reply::Explained(explanation))
    }

    fn status(&self, report: &Report) -> Status {
        let current = self.current();
        let counted: BTreeMap<_, _> = report.links.iter().map(|link| (link.link, link)).collect();
        let links = current.layout.interfaces().map(|(namespace, device, interface)| {
            let counted = counted.get(&interface.link);
            let lost = report.lost.get(&interface.link);
            let mut status = LinkStatus {
                link: interface.link,
                owner: interface.owner.clone(),
                namespace: namespace.to_string(),
                interface: device.to_string(),
                lost: lost.map(|lost| lost.why.clone()),
                ..counted.map_or_else(LinkStatus::default, |counted| counters(counted))
            };
            status.drops.extend(lost.map(|lost| ("lost".to_owned(), lost.unsent)));
            status
        });
        let engine = &report.engine;
        let drops = engine.drops().filter(|&(_, count)| count > 0);
        Status {
            release: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            generation: report.generation,
            flows: report.flows,
            tun: self.shared.backend.to_string(),
            packets: Packets {
                received: engine.received,
                forwarded: engine.forwarded,
                forwarded_bytes: engine.forwarded_bytes,
                originated: engine.originated,
                walks: engine.walks,
            },
            drops: drops.map(|(reason, count)| (reason.code().to_owned(), count)).collect(),
            links: links.collect(),
        }
    }
}

fn counters(report: &LinkReport) -> LinkStatus {
    let traffic = |traffic: vpc_io::Traffic| LinkTraffic {
        packets: traffic.packets,
        segments: traffic.segments,
        bytes: traffic.bytes,
    };
    let drops = report.counters.drops().filter(|&(_, count)| count > 0);
    LinkStatus {
        offloads: report.offloads.to_string(),
        rx: traffic(report.counters.rx),
        tx: traffic(report.counters.tx),
        coalesced: report.coalesced,
        drops: drops.map(|(reason, count)| (reason.as_str().to_owned(), count)).collect(),
        ..LinkStatus::default()
    }
}

fn refusal(message: String) -> Reply {
    Reply::Error(Failure::new(FailureKind::BadRequest, message))
}

fn stopped(error: Stopped) -> Failure {
    Failure::new(FailureKind::Failed, error.to_string())
}
