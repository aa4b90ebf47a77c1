//! What is said is wrong, too much, or half of it; too many say it; or the answer is no answer.

use super::*;

#[tokio::test]
async fn what_is_no_request_is_refused_in_words() {
    let running = Running::start();
    for (line, words) in [
        (&b"hello\n"[..], "cannot read the request"),
        (b"\n", "cannot read the request"),
        (b"\xff\xfe\x00\n", "cannot read the request"),
        (b"[]\n", "does not say its version"),
        (b"{\"request\":\"status\"}\n", "does not say its version"),
        (
            b"{\"version\":-1,\"request\":\"status\"}\n",
            "does not say its version",
        ),
        (b"{\"version\":0,\"request\":\"status\"}\n", "version 0"),
        (b"{\"version\":3,\"request\":\"status\"}\n", "version 3"),
        (b"{\"version\":1}\n", "cannot read the request"),
        (b"{\"version\":1,\"request\":\"kick\"}\n", "kick"),
        (
            b"{\"version\":1,\"request\":\"stop\",\"now\":5}\n",
            "cannot read the request",
        ),
        (
            b"{\"version\":1,\"request\":\"stop\",\"name\":\"\"}\n",
            "a name has",
        ),
        (
            b"{\"version\":1,\"request\":\"carry\"}\n",
            "cannot read the request",
        ),
        (
            b"{\"version\":1,\"request\":\"drain\"}\n",
            "was not handed over",
        ),
    ] {
        let mut raw = running.raw().await;
        raw.say(line).await;
        let answer = raw.hear().await.expect("an answer");
        assert_eq!(answer["reply"], "refused", "{answer}");
        let message = answer["message"].as_str().unwrap();
        assert!(message.contains(words), "{message}");
        assert!(matches!(answer["code"].as_u64(), Some(1 | 2)));
    }
    // All of this left it as it was.
    running.connect().await.status().await.unwrap();
}

#[tokio::test]
async fn nesting_without_end_is_refused() {
    let running = Running::start();
    let mut raw = running.raw().await;
    raw.say("[".repeat(CONTROL_REQUEST_BYTES - 1).as_bytes())
        .await;
    raw.say(b"\n").await;
    assert_eq!(raw.hear().await.unwrap()["reply"], "refused");
}

#[tokio::test]
async fn a_megabyte_without_an_end_is_refused() {
    let running = Running::start();
    let mut raw = running.raw().await;
    for _ in 0..128 {
        raw.say(&[b'x'; 8192]).await;
    }
    let answer = raw.hear().await.unwrap();
    assert!(
        answer["message"]
            .as_str()
            .unwrap()
            .contains("longer than 64 KiB")
    );
}

#[tokio::test]
async fn half_a_line_and_then_silence_is_told_off_and_half_a_line_and_gone_is_forgotten() {
    let running = Running::start();
    let mut silent = running.raw().await;
    silent.say(b"{\"version\":1,\"requ").await;
    let mut gone = running.raw().await;
    gone.say(b"{\"version\":1,\"requ").await;
    drop(gone);
    let answer = silent.hear().await.unwrap();
    assert!(answer["message"].as_str().unwrap().contains("cannot wait"));
    assert_eq!(running.pretend.asked.lock().unwrap().len(), 0);
}

/// As `socat` does, which has nothing more to say after its first line.
#[cfg(unix)]
#[tokio::test]
async fn who_has_said_all_is_still_answered() {
    let running = Running::start();
    let path = running.folder.join("control.sock");
    let mut stream = tokio::net::UnixStream::connect(path).await.unwrap();
    let request = b"{\"version\":1,\"request\":\"status\",\"new\":true}\n";
    stream.write_all(request).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer);
    soon("an answer", read).await.unwrap();
    assert!(answer.starts_with("{\"reply\":\"status\""), "{answer}");
    assert_eq!(answer.lines().count(), 1);
}

#[tokio::test]
async fn one_too_many_is_told_so_and_the_next_one_finds_room_again() {
    let running = Running::start();
    let mut others = Vec::new();
    for _ in 0..CONTROL_CONNECTIONS_MAX {
        let mut connection = running.connect().await;
        connection.status().await.unwrap();
        others.push(connection);
    }
    let Err(Unreachable::Refused(refusal)) = running.connect().await.status().await else {
        panic!("answered beyond the bound");
    };
    assert!(refusal.message.contains("too many"), "{refusal:?}");
    others.pop();
    let again = async {
        while running.connect().await.status().await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    soon("room", again).await;
}

/// The other side: not a via6 that we know, or one that is stuck.
#[cfg(unix)]
#[tokio::test]
async fn an_answer_that_makes_no_sense_or_never_comes_is_told() {
    let home = tempfile::tempdir().unwrap();
    let folder = Folder::open(Some(home.path())).unwrap();
    let listener = tokio::net::UnixListener::bind(folder.join("control.sock")).unwrap();
    let answers: [&[u8]; 5] = [
        b"HTTP/1.1 400 Bad Request\r\n",
        b"{\"reply\":\"players\"}\n",
        b"{\"reply\":\"stopped\"}\n",
        b"half a line",
        b"",
    ];
    for answer in answers {
        let mut connection = connect(&folder).await.unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(answer).await.unwrap();
        drop(stream);
        let error = soon("an error", connection.status()).await.unwrap_err();
        assert!(
            matches!(error, Unreachable::Strange | Unreachable::Gone),
            "{error:?}"
        );
    }
    let mut connection = connect(&folder).await.unwrap();
    let error = soon("an error", connection.status()).await.unwrap_err();
    assert!(matches!(error, Unreachable::Silent(_)), "{error:?}");
}
