//! Programs from the distribution.
//!
//! Debian's packages start their daemons when they are installed, and at every boot from then on.
//! Ours must not: they would take ports and memory on the machine of somebody who only wanted to
//! run the tests. While packages are installed a `policy-rc.d` forbids it; it is removed again
//! however the installation ends, and one that was there before is left as it is. Services that
//! the installation enabled are disabled after it; the others stay as they are.

use std::process::Command;

use anyhow::{Context, bail};

use crate::command;

/// Runs as root; `$@` are packages. `policy-rc.d` is the distribution's own way to say "do not
/// start services" (Debian policy, `invoke-rc.d`(8)).
const INSTALL: &str = r#"
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 130' INT TERM HUP
    printf '#!/bin/sh\nexit 101\n' > "$policy" && chmod 755 "$policy" || exit 1
fi
enabled() { ls /etc/systemd/system/*.wants 2>/dev/null | grep '\.service$' | sort -u; }
before=$(enabled)
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq || echo "the package lists could not be renewed; trying with the old ones" >&2
# What dpkg tells step by step is for nobody; errors come through.
apt-get install -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 "$@" >/dev/null
status=$?
if command -v systemctl >/dev/null; then
    for unit in $(enabled); do
        echo "$before" | grep -qxF "$unit" && continue
        systemctl --quiet disable "$unit" && echo "$unit will not start at boot" >&2
    done
fi
exit $status
"#;

/// Something that a chore cannot do without.
#[derive(Clone, Copy)]
pub(crate) struct Need {
    name: &'static str,
    present: Presence,
    package: &'static str,
    why: &'static str,
}

#[derive(Clone, Copy)]
enum Presence {
    /// A program of the need's name is on the search path.
    Program,
    /// This says so.
    Check(fn() -> bool),
}

impl Need {
    /// A program on the search path; `package` is Debian's name for what brings it.
    pub(crate) const fn program(
        name: &'static str,
        package: &'static str,
        why: &'static str,
    ) -> Self {
        Self { name, present: Presence::Program, package, why }
    }

    /// Something that `check` finds.
    pub(crate) const fn new(
        name: &'static str,
        check: fn() -> bool,
        package: &'static str,
        why: &'static str,
    ) -> Self {
        Self { name, present: Presence::Check(check), package, why }
    }

    fn is_met(&self) -> bool {
        match self.present {
            Presence::Program => command::find(self.name).is_some(),
            Presence::Check(check) => check(),
        }
    }
}

/// Who may install packages here.
enum Installer {
    Root,
    Sudo,
}

/// Installs what is missing, or says what that is.
pub(crate) fn install(needs: &[Need]) -> anyhow::Result<()> {
    let missing: Vec<&Need> = needs.iter().filter(|need| !need.is_met()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut packages: Vec<&str> = missing.iter().map(|need| need.package).collect();
    packages.sort_unstable();
    packages.dedup();
    let Some(installer) = installer() else {
        bail!(refusal(&missing, &packages, command::find("apt-get").is_some()))
    };
    for need in &missing {
        eprintln!("installing {} for {}: {}", need.package, need.name, need.why);
    }
    let mut shell = match installer {
        Installer::Root => Command::new("sh"),
        Installer::Sudo => {
            let mut sudo = Command::new("sudo");
            sudo.args(["-n", "sh"]);
            sudo
        }
    };
    let status = shell
        .args(["-c", INSTALL, "install"])
        .args(&packages)
        .status()
        .context("cannot start the installation of packages")?;
    let still: Vec<&&Need> = missing.iter().filter(|need| !need.is_met()).collect();
    if let Some(need) = still.first() {
        bail!(
            "{} is still missing after `apt-get install {}` ({status}); install it by hand",
            need.name,
            packages.join(" ")
        );
    }
    Ok(())
}

fn installer() -> Option<Installer> {
    command::find("apt-get")?;
    if nix::unistd::geteuid().is_root() {
        return Some(Installer::Root);
    }
    let asked = Command::new("sudo").args(["-n", "true"]).output();
    asked.is_ok_and(|output| output.status.success()).then_some(Installer::Sudo)
}

/// What a person without rights, or on another system, has to do.
fn refusal(missing: &[&Need], packages: &[&str], has_apt: bool) -> String {
    let mut text = String::from("this machine lacks what is needed here:\n");
    for need in missing {
        text.push_str(&format!("  {}: {}\n", need.name, need.why));
    }
    let packages = packages.join(" ");
    if has_apt {
        text.push_str(&format!(
            "Run by root, or by a user whose sudo asks for no password, this installs it. By hand, \
             as root:\n  apt-get install --no-install-recommends {packages}\nThen try again."
        ));
    } else {
        text.push_str(&format!(
            "Only on Debian and Ubuntu is it installed from here. Install it (Debian's names: \
             {packages}) and try again."
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Need, install, refusal};

    #[test]
    fn nothing_is_done_where_nothing_is_missing() {
        install(&[Need::program("sh", "dash", "everything")]).unwrap();
        install(&[Need::new("air", || true, "air", "breathing")]).unwrap();
    }

    #[test]
    fn a_refusal_names_program_reason_and_package() {
        let need = Need::program("no-such-program", "no-such-package", "a test of the message");
        assert!(!need.is_met());
        let text = refusal(&[&need], &["no-such-package", "another"], true);
        assert!(text.contains("  no-such-program: a test of the message\n"), "{text}");
        let command = "  apt-get install --no-install-recommends no-such-package another\n";
        assert!(text.contains(command), "{text}");
        let text = refusal(&[&need], &["no-such-package"], false);
        assert!(text.contains("  no-such-program: a test of the message\n"), "{text}");
        assert!(text.contains("Debian's names: no-such-package)"), "{text}");
        assert!(!text.contains("apt-get install"), "{text}");
    }
}
