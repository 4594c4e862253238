//! The program; see `cli/` for its commands.

/// What one thread allocates another frees: a read's answer goes from a reader to the connection's
/// task. glibc's allocator locks for that, this one does not.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    folkmoot::run()
}
