//! Commands on several registries: all are tried, and what failed is listed.

use super::error::{exit_of_failed, explain};
use super::{Context, Exit};
use crate::catalogue::View;
use crate::output::{Failed, List};

/// Does `step` for each name. What it gives is what programs see of it; people are told by the step itself.
///
/// One name that fails ends the command as its error says; of several, those that fail are told and the others go on.
pub(super) fn each(
    context: &Context,
    names: &[String],
    mut step: impl FnMut(&str) -> anyhow::Result<View>,
) -> anyhow::Result<Exit> {
    let mut list = List::whole(Vec::new());
    let mut exits = Vec::new();
    for name in names {
        match step(name) {
            Ok(view) => list.items.push(view),
            Err(error) if names.len() == 1 => return Err(error),
            Err(error) => {
                let (exit, message) = explain(&error).in_a_line();
                context.printer.failed(format!("{name}: {message}"));
                exits.push(exit);
                list.failed.push(Failed { name: name.clone(), message });
            }
        }
    }
    if context.printer.format().is_machine() {
        context.printer.report_list(&list, || super::list::table(&list.items))?;
    }
    Ok(exit_of_failed(&exits, list.items.len()))
}
