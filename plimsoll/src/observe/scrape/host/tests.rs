use super::*;

fn text(read: impl Fn(&mut Exposition)) -> String {
    let mut exposition = Exposition::new();
    read(&mut exposition);
    let text = exposition.finish();
    text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n")
}

#[test]
fn processors_and_the_kernels_counts_are_read() {
    let stat = "cpu  300 0 100 4000 0 0 0 0 0 0\n\
                cpu0 150 1 50 2000 7 3 2 1 5 0\n\
                cpu1 150\n\
                intr 9000 1 2 3\nctxt 12345\nbtime 1700000000\nprocesses 99\n\
                procs_running 3\nprocs_blocked 1\nsoftirq 1 2 3\n";
    let expected = r#"node_cpu_seconds_total{cpu="0",mode="user"} 1.5
node_cpu_seconds_total{cpu="0",mode="nice"} 0.01
node_cpu_seconds_total{cpu="0",mode="system"} 0.5
node_cpu_seconds_total{cpu="0",mode="idle"} 20
node_cpu_seconds_total{cpu="0",mode="iowait"} 0.07
node_cpu_seconds_total{cpu="0",mode="irq"} 0.03
node_cpu_seconds_total{cpu="0",mode="softirq"} 0.02
node_cpu_seconds_total{cpu="0",mode="steal"} 0.01
node_cpu_seconds_total{cpu="1",mode="user"} 1.5
node_boot_time_seconds 1700000000
node_context_switches_total 12345
node_intr_total 9000
node_forks_total 99
node_procs_running 3
node_procs_blocked 1"#;
    assert_eq!(text(|exposition| kernel::stat(stat, exposition)), expected);
    let load = text(|exposition| kernel::load("0.25 1.50 2 3/400 999\n", exposition));
    assert_eq!(load, "node_load1 0.25\nnode_load5 1.5\nnode_load15 2");
    let vmstat = "nr_free_pages 7\npgfault 11\npgmajfault 2\noom_kill 1\n";
    let vmstat = text(|exposition| kernel::vmstat(vmstat, exposition));
    assert_eq!(vmstat, "node_vmstat_pgfault 11\nnode_vmstat_pgmajfault 2\nnode_vmstat_oom_kill 1");
    let files = text(|exposition| kernel::descriptors("1024\t0\t9223372\n", exposition));
    assert_eq!(files, "node_filefd_allocated 1024\nnode_filefd_maximum 9223372");
}

#[test]
fn pressure_is_read_by_resource() {
    let some = "some avg10=0.00 avg60=0.00 avg300=0.00 total=1500000\n\
                full avg10=0.00 avg60=0.00 avg300=0.00 total=500000\n";
    let of = |resource| text(|exposition| kernel::pressure(resource, some, exposition));
    assert_eq!(of("cpu"), "node_pressure_cpu_waiting_seconds_total 1.5");
    let io =
        "node_pressure_io_waiting_seconds_total 1.5\nnode_pressure_io_stalled_seconds_total 0.5";
    assert_eq!(of("io"), io);
}

#[test]
fn memory_is_read_line_by_line() {
    let meminfo =
        "MemTotal:       16384 kB\nActive(anon):      2 kB\nHugePages_Total:       3\nbad\n";
    let expected = "node_memory_MemTotal_bytes 16777216\nnode_memory_Active_anon_bytes 2048\n\
                    node_memory_HugePages_Total 3";
    assert_eq!(text(|exposition| memory::expose(meminfo, exposition)), expected);
}

#[test]
fn whole_disks_are_told_of() {
    let figures = "10 1 20 3000 4 5 6 7000 8 9000 10000";
    let names = [
        ("sda", true),
        ("sda1", false),
        ("vdb", true),
        ("xvda1", false),
        ("nvme0n1", true),
        ("nvme0n1p1", false),
        ("mmcblk0", true),
        ("mmcblk0p2", false),
        ("dm-0", true),
        ("md127", true),
        ("loop0", false),
        ("ram1", false),
        ("zram0", false),
        ("sr0", false),
    ];
    let diskstats: String =
        names.iter().map(|(name, _)| format!("   8       0 {name} {figures}\n")).collect();
    let found = text(|exposition| disk::activity(&diskstats, exposition));
    for (name, is_told) in names {
        assert_eq!(found.contains(&format!("\"{name}\"")), is_told, "{name}");
    }
    for line in [
        "node_disk_reads_completed_total{device=\"sda\"} 10",
        "node_disk_read_bytes_total{device=\"sda\"} 10240",
        "node_disk_read_time_seconds_total{device=\"sda\"} 3",
        "node_disk_written_bytes_total{device=\"sda\"} 3072",
        "node_disk_io_now{device=\"sda\"} 8",
        "node_disk_io_time_seconds_total{device=\"sda\"} 9",
    ] {
        assert!(found.lines().any(|found| found == line), "{line} in\n{found}");
    }
}

#[test]
fn mounts_of_disks_are_told_of_once() {
    let mounts = "proc /proc proc rw 0 0\n/dev/sda1 / ext4 rw 0 0\n\
                  /dev/sda1 /var/lib/docker ext4 rw 0 0\noverlay /var/merged overlay rw 0 0\n\
                  /dev/sdb1 /data\\040two xfs ro 0 0\nserver:/x /nfs nfs4 rw 0 0\ncut\n";
    let found = disk::mounts(mounts);
    let told: Vec<_> = found.iter().map(|mount| (&*mount.device, &*mount.point)).collect();
    assert_eq!(told, [("/dev/sda1", "/"), ("/dev/sdb1", "/data two")]);
    let room = Room {
        bytes: 1000,
        free_bytes: 600,
        available_bytes: 500,
        files: 10,
        free_files: 4,
        is_readonly: false,
    };
    let first = found.into_iter().next().unwrap();
    let written = text(|exposition| disk::filesystems([(first.clone(), room)], exposition));
    let labels = r#"{device="/dev/sda1",fstype="ext4",mountpoint="/"}"#;
    let expected = format!(
        "node_filesystem_size_bytes{labels} 1000\nnode_filesystem_free_bytes{labels} 600\n\
         node_filesystem_avail_bytes{labels} 500\nnode_filesystem_files{labels} 10\n\
         node_filesystem_files_free{labels} 4\nnode_filesystem_readonly{labels} 0"
    );
    assert_eq!(written, expected);
}

#[test]
fn devices_of_containers_are_left_out() {
    let dev = "Inter-|   Receive                        |  Transmit\n \
               face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets\n\
               \x20 eth0: 1000 10 1 2 0 0 0 0 2000 20 3 4 0 0 0 0\n\
               veth12ab: 5 5 5 5 0 0 0 0 5 5 5 5 0 0 0 0\n";
    let expected = r#"node_network_receive_bytes_total{device="eth0"} 1000
node_network_receive_packets_total{device="eth0"} 10
node_network_receive_errs_total{device="eth0"} 1
node_network_receive_drop_total{device="eth0"} 2
node_network_transmit_bytes_total{device="eth0"} 2000
node_network_transmit_packets_total{device="eth0"} 20
node_network_transmit_errs_total{device="eth0"} 3
node_network_transmit_drop_total{device="eth0"} 4"#;
    assert_eq!(text(|exposition| network::expose(dev, exposition)), expected);
}

#[test]
fn this_machine_has_the_figures_that_rules_need() {
    let page = figures();
    for name in [
        "node_cpu_seconds_total{",
        "node_load1 ",
        "node_memory_MemTotal_bytes ",
        "node_memory_MemAvailable_bytes ",
        "node_boot_time_seconds ",
        "node_filefd_allocated ",
        "node_network_receive_bytes_total{",
        "node_uname_info{",
    ] {
        assert!(page.lines().any(|line| line.starts_with(name)), "{name} in\n{page}");
    }
}
