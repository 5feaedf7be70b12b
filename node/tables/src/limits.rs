//! Limits of what is read and written, each with its reason.

/// Bytes of a workbook: fifty thousand rows of a practice take about half of it.
pub const WORKBOOK_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// Bytes of a CSV or JSON file: fifty thousand rows of 1.3 KB.
pub const TEXT_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Bytes that a workbook inflates to, all its parts together; the same rows with their marks.
pub const INFLATED_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Bytes that one part other than sheets and their strings inflates to: lists and settings, of
/// which a reader makes many times as much in memory.
pub const PART_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Bytes of the styles: Excel allows 64,000, and each becomes a large value in memory.
pub const STYLES_BYTES_MAX: u64 = 2 * 1024 * 1024;
/// Parts of a workbook: each sheet brings a handful.
pub const PARTS_MAX: usize = 1_024;
/// Rows of one file, over all of its sheets: a hundred times what an office writes in a year.
pub const ROWS_MAX: u32 = 50_000;
/// Columns of a table: every column of a kind in three languages.
pub const COLUMNS_MAX: u32 = 256;
/// Bytes of all cells together.
pub const WORKBOOK_TEXTS_MAX: u64 = 256 * 1024 * 1024;
/// Characters of a cell: what Excel allows.
pub const CELL_CHARS_MAX: usize = 32_767;
/// Entries of a list in JSON.
pub const LIST_MAX: usize = 1_000;
/// Merged areas of a sheet that are named; more of them teach nothing.
pub const MERGED_MAX: usize = 100;
