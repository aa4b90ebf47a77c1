//! A window that closes with the program, which is what Windows gives a program that was started by a
//! double click: the last words stay until Enter. Other systems' file managers give none.

use std::io::{self, IsTerminal, Read};

use crate::output::Output;
use crate::stop;

/// Waits for Enter if the window would close now, unless somebody wanted the end.
pub(crate) fn keep_open(output: &Output) {
    let is_there = io::stdin().is_terminal() && io::stdout().is_terminal();
    if !is_there || stop::was_told() || !is_ours_alone() {
        return;
    }
    output.prompt("\nPress Enter to close this window. ");
    output.finish();
    let mut typed = [0; 1024];
    // A window that cannot be read from is closed.
    while let Ok(read @ 1..) = io::stdin().lock().read(&mut typed) {
        if typed.iter().take(read).any(|byte| *byte == b'\n') {
            return;
        }
    }
}

/// Whether no other program, such as a shell, is in this console.
#[cfg(windows)]
#[allow(
    unsafe_code,
    reason = "Windows tells it in no other way, and nobody wraps the call"
)]
fn is_ours_alone() -> bool {
    use windows_sys::Win32::System::Console::GetConsoleProcessList;

    /// Room in the list: more than one is all that matters.
    const PROCESSES: u32 = 2;
    let mut processes = [0; PROCESSES as usize];
    // SAFETY: the list has room for as many processes as are said.
    let count = unsafe { GetConsoleProcessList(processes.as_mut_ptr(), PROCESSES) };
    // 0 means that there is no console.
    count == 1
}

/// A terminal is always somebody else's.
#[cfg(not(windows))]
fn is_ours_alone() -> bool {
    false
}
