//! A window that closes with the program, which is what Windows gives a program that was started by a
//! double click: the last words stay until Enter. Other systems' file managers give none.

use crate::output::Output;

/// Waits for Enter if the window would close now, unless somebody wanted the end.
#[cfg(windows)]
pub(crate) fn keep_open(output: &Output) {
    use std::io::{self, IsTerminal, Read};

    let is_there = io::stdin().is_terminal() && io::stdout().is_terminal();
    if !is_there || crate::stop::was_told() || !is_ours_alone() {
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

/// Nothing waits for the end here.
#[cfg(not(windows))]
pub(crate) fn keep_open(_: &Output) {}

/// Whether no other program, such as a shell, is in this console.
#[cfg(windows)]
#[allow(
    unsafe_code,
    reason = "Windows tells it in no other way, and nobody wraps the call"
)]
fn is_ours_alone() -> bool {
    use windows_sys::Win32::System::Console::GetConsoleProcessList;

    let mut processes = [0; 2];
    // SAFETY: the list has room for two processes, which is the number that is passed.
    let count = unsafe { GetConsoleProcessList(processes.as_mut_ptr(), 2) };
    // 0 means that there is no console.
    count == 1
}
