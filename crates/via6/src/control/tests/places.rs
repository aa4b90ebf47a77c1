//! Who is first, who is reached, and where: locks, sockets, folders.

use super::*;

#[tokio::test]
async fn who_is_first_does_the_work_and_the_second_reaches_it() {
    let home = tempfile::tempdir().unwrap();
    let folder = Folder::open(Some(home.path())).unwrap();
    let Ok(Claim::Ours(lock)) = claim(&folder).await else {
        panic!("the first is not the first");
    };
    // It has the lock, and does not answer yet.
    let second = running_claim(&folder);
    let lock = Arc::new(lock);
    let over = CancellationToken::new();
    let server = serve(&lock, Arc::new(Pretend::default()), over.clone()).unwrap();
    let tasks = TaskTracker::new();
    tasks.spawn(server.run());
    let Ok(Claim::Theirs(mut connection)) = second.await.unwrap() else {
        panic!("not reached");
    };
    connection.status().await.unwrap();
    drop(connection);
    // It is about to end: whoever comes then gets the lock as soon as it is free.
    over.cancel();
    tasks.close();
    soon("the end", tasks.wait()).await;
    let third = running_claim(&folder);
    tokio::task::yield_now().await;
    drop(lock);
    assert!(matches!(third.await.unwrap(), Ok(Claim::Ours(_))));
}

fn running_claim(folder: &Folder) -> tokio::task::JoinHandle<Result<Claim, Trouble>> {
    let folder = folder.clone();
    TaskTracker::new().spawn(async move { claim(&folder).await })
}

#[tokio::test]
async fn one_that_has_the_lock_and_does_not_answer_is_named() {
    let home = tempfile::tempdir().unwrap();
    let folder = Folder::open(Some(home.path())).unwrap();
    let _lock = Lock::take(&folder).unwrap();
    let Err(trouble) = soon("an answer", claim(&folder)).await else {
        panic!("claimed");
    };
    let told = trouble.to_string();
    assert!(
        told.contains(&format!("process {}", std::process::id())),
        "{told}"
    );
}

#[tokio::test]
async fn where_nobody_runs_that_is_what_is_said() {
    let home = tempfile::tempdir().unwrap();
    let missing = Folder::find(Some(&home.path().join("missing"))).unwrap();
    let empty = Folder::open(Some(home.path())).unwrap();
    for folder in [missing, empty] {
        let Err(error @ Unreachable::Nobody) = connect(&folder).await else {
            panic!("somebody is there");
        };
        let told = error.failure(&folder).to_string();
        assert!(told.starts_with("error: no via6 is running here"), "{told}");
        assert!(told.contains(&*folder.path().to_string_lossy()), "{told}");
    }
}

/// It was killed: the socket stayed, and the lock did not.
#[cfg(unix)]
#[tokio::test]
async fn a_socket_that_a_killed_process_left_is_replaced() {
    let home = tempfile::tempdir().unwrap();
    let folder = Folder::open(Some(home.path())).unwrap();
    let left = std::os::unix::net::UnixListener::bind(folder.join("control.sock")).unwrap();
    drop(left);
    assert!(matches!(connect(&folder).await, Err(Unreachable::Nobody)));
    let running = Running::start_in(home, "");
    running.connect().await.status().await.unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn the_socket_is_for_this_user_alone() {
    use std::os::unix::fs::PermissionsExt;
    let running = Running::start();
    let found = std::fs::metadata(running.folder.join("control.sock")).unwrap();
    assert_eq!(found.permissions().mode() & 0o777, 0o600);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_folder_with_a_name_too_long_for_a_socket_works() {
    let below = format!("{0}/{0}/{0}", "long".repeat(40));
    let running = Running::start_in(tempfile::tempdir().unwrap(), &below);
    assert!(running.folder.path().as_os_str().len() > 300);
    running.connect().await.status().await.unwrap();
    running.over.cancel();
    running.tasks.close();
    soon("the end", running.tasks.wait()).await;
    assert!(!running.folder.join("control.sock").exists());
}

#[tokio::test]
async fn what_is_in_the_way_of_the_socket_is_told() {
    let home = tempfile::tempdir().unwrap();
    let folder = Folder::open(Some(home.path())).unwrap();
    std::fs::create_dir_all(folder.join("control.sock/below")).unwrap();
    let lock = Arc::new(Lock::take(&folder).unwrap());
    let served = serve(
        &lock,
        Arc::new(Pretend::default()),
        CancellationToken::new(),
    );
    if cfg!(unix) {
        let Err(trouble) = served else {
            panic!("served");
        };
        assert_eq!(trouble.kind(), "control-unavailable");
    }
}
