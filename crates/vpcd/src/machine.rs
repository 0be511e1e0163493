//! Namespaces and devices: carries out a [`Plan`], or takes back what it has done of it.
//!
//! Every namespace that is made gets a mark, an alias on its loopback interface that names the daemon's socket
//! (`vpcd /run/vpcd.sock`). There is one daemon per socket, so a namespace with our own mark that we did not make
//! was left by a daemon that was killed, and may be deleted. One without it is somebody else's and never touched.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::thread;

use anyhow::{Context, bail};
use rustix::fs::fstat;
use vpc_io::{Backend, InterfaceName, Link, NetNs, NetNsError, NetNsName, Offloads, Tun, TunConfig, Writer};
use vpc_model::LinkId;

use crate::layout::{Layout, NamespacePlan, Plan, Settings};
use crate::netlink;

/// Namespaces worked on at once. Making one is mostly waiting for locks inside the kernel.
const AT_ONCE: usize = 4;

/// How devices are opened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Devices {
    pub(crate) backend: Backend,
    pub(crate) offloads: Offloads,
}

/// The namespaces this daemon has made; they are deleted when it is dropped.
pub(crate) struct Machine {
    devices: Devices,
    mark: String,
    namespaces: BTreeMap<NetNsName, NetNs>,
}

/// What the first half of a plan has brought about.
pub(crate) struct Prepared {
    /// The links to install.
    pub(crate) links: Vec<(LinkId, Writer)>,
    made: BTreeMap<NetNsName, NetNs>,
    changed: Vec<Change>,
}

struct Change {
    namespace: NetNsName,
    device: InterfaceName,
    from: Settings,
    to: Settings,
}

impl Machine {
    /// A machine without namespaces of ours; `socket` names this daemon in marks.
    pub(crate) fn new(devices: Devices, socket: &Path) -> Self {
        Self { devices, mark: format!("vpcd {}", socket.display()), namespaces: BTreeMap::new() }
    }

    /// Deletes the namespaces with our mark: those of a daemon that was killed. Says which.
    ///
    /// To be called while holding the socket and before making any.
    pub(crate) fn clean_up(&self) -> anyhow::Result<Vec<NetNsName>> {
        let mut cleaned = Vec::new();
        for name in NetNs::list()? {
            // What cannot be opened or looked into is not ours.
            let Ok(ns) = NetNs::open(&name) else { continue };
            if netlink::alias(&ns).ok().flatten().as_ref() == Some(&self.mark) {
                NetNs::delete(&name)?;
                cleaned.push(name);
            }
        }
        Ok(cleaned)
    }

    /// Whether a namespace of ours still has its name; somebody may have taken it away.
    pub(crate) fn has(&self, name: &NetNsName) -> bool {
        self.namespaces.get(name).is_some_and(|ns| is_named(ns, name))
    }

    /// The first half of a plan: makes and extends, takes nothing away.
    ///
    /// Errors: everything is as it was.
    pub(crate) fn prepare(&self, plan: &Plan) -> anyhow::Result<Prepared> {
        let jobs = Mutex::new(plan.namespaces.iter());
        let done = Mutex::new(Prepared { links: Vec::new(), made: BTreeMap::new(), changed: Vec::new() });
        let failure = Mutex::new(None);
        thread::scope(|scope| {
            for _ in 0..AT_ONCE.min(plan.namespaces.len()) {
                scope.spawn(|| {
                    while locked(&failure).is_none() {
                        let Some((name, work)) = locked(&jobs).next() else {
                            return;
                        };
                        if let Err(error) = self.prepare_namespace(name, work, &done) {
                            locked(&failure).get_or_insert(error);
                        }
                    }
                });
            }
        });
        let prepared = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        match failure.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
            None => Ok(prepared),
            Some(error) => {
                let (links, finish) = prepared.split();
                drop(links);
                self.take_back(finish);
                Err(error)
            }
        }
    }

    fn prepare_namespace(&self, name: &NetNsName, work: &NamespacePlan, done: &Mutex<Prepared>) -> anyhow::Result<()> {
        let made = if work.make {
            let ns = self.create(name)?;
            let copy = ns.try_clone()?;
            // Noted before anything else can fail, so that it is taken back.
            locked(done).made.insert(name.clone(), ns);
            netlink::prepare(&copy, &self.mark)?;
            Some(copy)
        } else {
            None
        };
        let Some(ns) = made.as_ref().or_else(|| self.namespaces.get(name)) else {
            bail!("namespace {name} is not one of ours");
        };
        for (device, interface) in &work.open {
            let config = TunConfig {
                backend: self.devices.backend,
                offloads: self.devices.offloads,
                exclusive: true,
                ..TunConfig::new(*device)
            };
            let tun = Tun::open(ns, &config).with_context(|| format!("interface {device} of {}", interface.owner))?;
            let writer = Writer::new(Link::Tun(tun));
            locked(done).links.push((interface.link, writer));
            netlink::extend(ns, *device, &Settings::default(), &interface.settings)?;
        }
        for (device, from, to) in &work.change {
            locked(done).changed.push(Change {
                namespace: name.clone(),
                device: *device,
                from: from.clone(),
                to: to.clone(),
            });
            netlink::extend(ns, *device, from, to)?;
        }
        Ok(())
    }

    fn create(&self, name: &NetNsName) -> anyhow::Result<NetNs> {
        match NetNs::create(name) {
            Err(NetNsError::Taken { name }) => {
                let mark = NetNs::open(&name).ok().and_then(|ns| netlink::alias(&ns).ok().flatten());
                match mark.as_deref().and_then(|mark| mark.strip_prefix("vpcd ")) {
                    Some(socket) => bail!(
                        "namespace '{name}' is taken: it belongs to the vpcd of {socket}; stop that one or give the instance another `namespace`"
                    ),
                    None => bail!(
                        "namespace '{name}' is taken; delete it with `ip netns delete {name}` or give the instance another `namespace`"
                    ),
                }
            }
            result => Ok(result?),
        }
    }

    /// The second half of a plan, once nothing refers any more to what it takes away: what `layout` does not have.
    /// What fails is logged: the network is what was asked for, only something is left over.
    pub(crate) fn finish(&mut self, layout: &Layout, finish: Finish) {
        for change in &finish.changed {
            if let Some(ns) = self.namespaces.get(&change.namespace)
                && let Err(error) = netlink::reduce(ns, change.device, &change.from, &change.to)
            {
                tracing::warn!(namespace = %change.namespace, error = format!("{error:#}"), "left over");
            }
        }
        self.namespaces.extend(finish.made);
        self.namespaces.retain(|name, ns| {
            let stays = layout.namespaces.contains_key(name);
            if !stays {
                delete(name, ns);
            }
            stays
        });
    }

    /// Undoes what [`Machine::prepare`] did, apart from the links, which are closed by being dropped.
    pub(crate) fn take_back(&self, finish: Finish) {
        let Finish { made, changed } = finish;
        for change in &changed {
            let Some(ns) = self.namespaces.get(&change.namespace) else {
                continue;
            };
            let back = netlink::extend(ns, change.device, &change.to, &change.from)
                .and_then(|()| netlink::reduce(ns, change.device, &change.to, &change.from));
            if let Err(error) = back {
                tracing::warn!(namespace = %change.namespace, error = format!("{error:#}"), "cannot take back a change");
            }
        }
        made.iter().for_each(|(name, ns)| delete(name, ns));
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.namespaces.iter().for_each(|(name, ns)| delete(name, ns));
    }
}

/// What is left of [`Prepared`] when its links are installed.
pub(crate) struct Finish {
    made: BTreeMap<NetNsName, NetNs>,
    changed: Vec<Change>,
}

impl Prepared {
    /// The links, and what [`Machine::finish`] wants.
    pub(crate) fn split(self) -> (Vec<(LinkId, Writer)>, Finish) {
        let Self { links, made, changed } = self;
        (links, Finish { made, changed })
    }
}

/// Deletes a namespace, unless its name has gone or has become somebody else's.
fn delete(name: &NetNsName, ns: &NetNs) {
    if is_named(ns, name)
        && let Err(error) = NetNs::delete(name)
    {
        tracing::warn!(%error, "cannot delete a namespace");
    }
}

fn is_named(ns: &NetNs, name: &NetNsName) -> bool {
    let identity = |ns: &NetNs| fstat(ns).map(|stat| (stat.st_dev, stat.st_ino)).ok();
    NetNs::open(name).is_ok_and(|named| identity(&named) == identity(ns))
}

/// A panic of another job is passed on by the scope that runs them all.
fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
