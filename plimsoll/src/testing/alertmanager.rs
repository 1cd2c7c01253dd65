//! Alertmanager.

use std::process::Command;

use serde_json::json;
use tempfile::TempDir;

use super::program::Program;

/// A running Alertmanager.
pub struct Alertmanager {
    _program: Program,
    /// Of its root.
    pub url: String,
    _folder: TempDir,
}

impl Alertmanager {
    /// It tells `webhook` of alarms, at once.
    pub fn start(webhook: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = json!({
            "route": {
                "receiver": "ops",
                "group_by": ["alertname"],
                "group_wait": "0s",
                "group_interval": "1s",
            },
            "receivers": [{ "name": "ops", "webhook_configs": [{ "url": webhook }] }],
        });
        let file = folder.path().join("alertmanager.yml");
        std::fs::write(&file, config.to_string()).unwrap();
        let mut command = Command::new("prometheus-alertmanager");
        command
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.path={}", folder.path().join("data").display()))
            .arg("--cluster.listen-address=");
        let program = Program::start(&mut command, "Listening on");
        let url = format!("http://{}", program.address);
        Self { _program: program, url, _folder: folder }
    }
}
