//! From what was asked for to what is in force: compile, install, acknowledge.

use std::collections::BTreeSet;
use std::sync::Arc;

use vpc_engine::Snapshot;
use vpc_model::control::Applied;
use vpc_model::{Desired, LinkId};

use crate::layout::{Layout, Plan};
use crate::machine::Machine;
use crate::worker::{Handle, Installation};

/// The network in force; a cheap copy for those who only read.
#[derive(Clone)]
pub(crate) struct Current {
    pub(crate) desired: Desired,
    pub(crate) layout: Arc<Layout>,
    pub(crate) generation: u64,
}

/// Makes what is asked for the case.
pub(crate) struct Publisher {
    machine: Machine,
    worker: Handle,
    snapshot: Arc<Snapshot>,
    layout: Arc<Layout>,
}

impl Publisher {
    /// Shape: `snapshot` is what the worker has, of an empty network.
    pub(crate) fn new(machine: Machine, worker: Handle, snapshot: Arc<Snapshot>) -> Self {
        Self { machine, worker, snapshot, layout: Arc::default() }
    }

    /// What is in force.
    pub(crate) fn current(&self) -> Current {
        Current {
            desired: self.snapshot.desired().clone(),
            layout: Arc::clone(&self.layout),
            generation: self.snapshot.generation(),
        }
    }

    /// Brings the network from what it is to `desired`.
    ///
    /// Namespaces, devices and addresses are made first; then the worker adopts tables and links at one moment; then
    /// what has vanished is removed. A device that both have keeps carrying packets all the while.
    /// Blocks: not for use on the runtime's thread.
    /// Errors: everything is as it was, and nothing of what was made is left.
    pub(crate) fn apply(&mut self, desired: Desired) -> anyhow::Result<Applied> {
        let current = self.snapshot.desired();
        let same = *current == desired;
        let desired = desired.keeping_links_of(current);
        let layout = Layout::of(&desired)?;
        let present = self.present()?;
        let mut plan = Plan::between(&present, &layout);
        plan.remove.extend(vanished(&self.layout, &present, &layout));
        if same && plan == Plan::default() {
            return Ok(Applied { generation: self.snapshot.generation(), ..Applied::default() });
        }
        let prepared = self.machine.prepare(&plan)?;
        let snapshot = Arc::new(Snapshot::compile(&desired, Some(&self.snapshot)));
        let (links, finish) = prepared.split();
        let applied = Applied {
            generation: snapshot.generation(),
            changed: true,
            namespaces_made: plan.namespaces.values().filter(|work| work.make).count(),
            namespaces_deleted: plan.delete.len(),
            interfaces_made: links.len(),
            interfaces_removed: plan.close,
            interfaces_changed: plan.namespaces.values().map(|work| work.change.len()).sum(),
        };
        let installation =
            Installation { snapshot: Arc::clone(&snapshot), remove: plan.remove, renumber: plan.renumber, add: links };
        let installed = match self.worker.install(installation) {
            Ok(installed) => installed,
            Err(stopped) => {
                self.machine.take_back(finish);
                return Err(stopped.into());
            }
        };
        // The worker has given up the old tables; freeing them is done here, too.
        self.snapshot = snapshot;
        self.layout = Arc::new(layout);
        drop(installed.displaced);
        self.machine.finish(&self.layout, finish);
        Ok(applied)
    }

    /// The layout in force without what has failed since: such devices and namespaces are made anew.
    fn present(&self) -> anyhow::Result<Layout> {
        let lost = self.worker.report_blocking()?.lost;
        let mut layout = Layout::clone(&self.layout);
        layout.namespaces.retain(|name, _| self.machine.has(name));
        for namespace in layout.namespaces.values_mut() {
            namespace.interfaces.retain(|_, interface| !lost.contains_key(&interface.link));
        }
        Ok(layout)
    }
}

/// Links that had failed and are not asked for any more.
fn vanished(before: &Layout, present: &Layout, after: &Layout) -> Vec<LinkId> {
    let others: BTreeSet<LinkId> = [present, after].into_iter().flat_map(Layout::links).collect();
    before.links().filter(|link| !others.contains(link)).collect()
}
