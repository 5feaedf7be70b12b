//! How many connections fit into what the system lets this process open.

use crate::limits::{API_CONNECTIONS_MAX, DESCRIPTORS_SPARE, PEER_CONNECTIONS_MAX};

/// Connections of peers, and of secretariats and integrators, that this process may hold.
pub fn places() -> (usize, usize) {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    share(open_files(&limits))
}

/// The soft limit of open files, as Linux tells it in `/proc/*/limits`; elsewhere none is known.
pub fn open_files(limits: &str) -> Option<usize> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"));
    line?.split_whitespace().next()?.parse().ok()
}

/// Peers get the larger part of what is left.
fn share(open_files: Option<usize>) -> (usize, usize) {
    let free = open_files.map(|files| files.saturating_sub(DESCRIPTORS_SPARE).max(10));
    let part = |tenths| free.map_or(usize::MAX, |free| free / 10 * tenths);
    (
        PEER_CONNECTIONS_MAX.min(part(6)),
        API_CONNECTIONS_MAX.min(part(4)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_never_more_places_than_descriptors() {
        let limits = "Limit  Soft Limit  Hard Limit  Units\nMax open files   256   4096   files\n";
        assert_eq!(open_files(limits), Some(256));
        assert_eq!(open_files("Max open files unlimited unlimited files"), None);
        assert_eq!(open_files(""), None);
        assert_eq!(share(None), (256, 256));
        assert_eq!(share(Some(1_024)), (256, 256));
        assert_eq!(share(Some(256)), (96, 64));
        assert_eq!(share(Some(8)), (6, 4));
    }
}
