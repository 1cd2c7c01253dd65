//! The kernel's table of processes, read from `/proc`: who is whose child, and what each uses.
//!
//! One pass over `/proc/*/stat` answers for every instance at once, and works without
//! `CONFIG_PROC_CHILDREN`, which not every kernel has. A table is a snapshot that is stale at
//! once: whoever kills by it reads it again until nothing is left.
//!
//! Leaves out: processes in other PID namespaces that this `/proc` does not show.

use std::collections::HashMap;
use std::io;

/// One process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessEntry {
    pub pid: i32,
    pub parent: i32,
    /// Ended, but not waited for by its parent yet.
    pub zombie: bool,
    /// User and system time of the process itself, in clock ticks.
    pub own_ticks: u64,
    /// User and system time of its children that were waited for, and theirs, in clock ticks.
    pub waited_ticks: u64,
    pub threads: u64,
    pub resident_pages: u64,
}

/// All processes at one moment.
#[derive(Debug, Default)]
pub struct ProcessTable {
    entries: HashMap<i32, ProcessEntry>,
    children: HashMap<i32, Vec<i32>>,
}

impl ProcessTable {
    /// Reads `/proc`. Processes that end meanwhile are left out.
    pub fn read() -> io::Result<Self> {
        let mut table = Self::default();
        for directory in std::fs::read_dir("/proc")? {
            let Ok(directory) = directory else { continue };
            let name = directory.file_name();
            if !name.as_encoded_bytes().first().is_some_and(u8::is_ascii_digit) {
                continue;
            }
            if let Ok(text) = std::fs::read(directory.path().join("stat"))
                && let Some(entry) = parse_stat(&text)
            {
                table.insert(entry);
            }
        }
        Ok(table)
    }

    fn insert(&mut self, entry: ProcessEntry) {
        self.children.entry(entry.parent).or_default().push(entry.pid);
        self.entries.insert(entry.pid, entry);
    }

    /// The entry of one process.
    pub fn get(&self, pid: i32) -> Option<&ProcessEntry> {
        self.entries.get(&pid)
    }

    /// The children of one process.
    pub fn children(&self, parent: i32) -> impl Iterator<Item = &ProcessEntry> {
        let children = self.children.get(&parent).into_iter().flatten();
        children.filter_map(|child| self.entries.get(child))
    }

    /// Children, grandchildren and so on, parents before their children; without `root`.
    pub fn descendants(&self, root: i32) -> Vec<&ProcessEntry> {
        let mut found = Vec::new();
        let mut queue = vec![root];
        // Ends: each process has one parent, so that it is reached at most once.
        while let Some(pid) = queue.pop() {
            for child in self.children.get(&pid).into_iter().flatten() {
                if let Some(entry) = self.entries.get(child) {
                    found.push(entry);
                    queue.push(*child);
                }
            }
        }
        found
    }
}

/// Reads a line of `/proc/PID/stat` (proc(5)). The name, field 2, may hold spaces, brackets and
/// any bytes, so fields are counted from the last closing bracket.
fn parse_stat(text: &[u8]) -> Option<ProcessEntry> {
    let open = memchr::memchr(b'(', text)?;
    let close = memchr::memrchr(b')', text)?;
    let pid = std::str::from_utf8(text.get(..open)?).ok()?.trim().parse().ok()?;
    let rest = std::str::from_utf8(text.get(close + 1..)?).ok()?;
    // Field 3 is the first here.
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    Some(ProcessEntry {
        pid,
        parent: fields.get(1)?.parse().ok()?,
        zombie: matches!(*fields.first()?, "Z" | "X"),
        own_ticks: number(14)? + number(15)?,
        waited_ticks: number(16)? + number(17)?,
        threads: number(20)?,
        resident_pages: number(24)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_spaces_does_not_shift_the_fields() {
        let line = b"812 (a) b (c) S 7 812 812 0 -1 4194560 1 2 3 4 10 20 300 400 20 0 5 0 99 \
                     1000000 777 18446744073709551615 1 1 0\n";
        let entry = parse_stat(line).unwrap();
        assert_eq!(
            entry,
            ProcessEntry {
                pid: 812,
                parent: 7,
                zombie: false,
                own_ticks: 30,
                waited_ticks: 700,
                threads: 5,
                resident_pages: 777,
            }
        );
    }

    #[test]
    fn cut_or_foreign_text_is_refused() {
        for text in [&b""[..], b"1", b"1 (x)", b"1 (x) S", b"x (x) S 1 1 1", b")1(", b"1 (\xff) S"]
        {
            assert_eq!(parse_stat(text), None, "{text:?}");
        }
    }

    #[test]
    fn descendants_are_found_at_any_depth_and_others_are_not() {
        let mut table = ProcessTable::default();
        for (pid, parent) in [(1, 0), (10, 1), (11, 10), (12, 11), (20, 1), (21, 20)] {
            let mut entry =
                parse_stat(b"1 (x) S 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 1 0 0 0 1").unwrap();
            entry.pid = pid;
            entry.parent = parent;
            table.insert(entry);
        }
        let mut found: Vec<i32> = table.descendants(10).iter().map(|entry| entry.pid).collect();
        found.sort_unstable();
        assert_eq!(found, [11, 12]);
    }

    #[test]
    fn this_process_is_in_the_table() {
        let table = ProcessTable::read().unwrap();
        let own = table.get(std::process::id() as i32).unwrap();
        assert!(own.threads >= 1 && own.resident_pages > 0 && !own.zombie);
    }
}
