//! Work that is handed over, and those who hand it over: attentive, slow, stuck, gone.

use super::*;

#[tokio::test]
async fn work_that_is_handed_over_tells_its_lines_and_is_told_to_stop() {
    let running = Running::start();
    let mut carried = running.carried("friday").await;
    assert_eq!(
        (carried.pid(), carried.name()),
        (std::process::id(), "friday")
    );
    assert_eq!(running.pretend.noted().await, "carried friday");
    let sink = running.pretend.sinks.lock().unwrap()[0].clone();
    // Lines come from the relays' own thread.
    std::thread::spawn(move || {
        sink.line(Stream::Data, "127.0.0.1:46666".into());
        sink.line(Stream::Log, "two\nlines, \u{1b} and \"quotes\"".into());
    })
    .join()
    .unwrap();
    let told = [
        Told::Line(Stream::Data, "127.0.0.1:46666".into()),
        Told::Line(Stream::Log, "two\nlines, \u{1b} and \"quotes\"".into()),
    ];
    for told in told {
        assert_eq!(soon("a line", carried.next()).await.unwrap(), told);
    }
    carried.drain().await;
    assert_eq!(running.pretend.noted().await, "Drain friday");
    carried.now().await;
    assert_eq!(running.pretend.noted().await, "Now friday");
    assert_eq!(
        soon("the end", carried.next()).await.unwrap(),
        Told::Ended(None)
    );
}

#[tokio::test]
async fn work_that_failed_ends_with_the_reason() {
    let running = Running::start();
    let mut carried = running.carried("failing").await;
    carried.now().await;
    let Told::Ended(Some(refusal)) = soon("the end", carried.next()).await.unwrap() else {
        panic!("ended well");
    };
    assert_eq!(refusal.message, "cannot go on listening");
}

/// A fault of ours must not look like silence.
#[tokio::test]
async fn work_that_is_given_up_without_a_word_is_told_to_have_ended() {
    let running = Running::start();
    let mut carried = running.carried("dropped").await;
    let told = soon("the end", carried.next()).await.unwrap();
    assert!(matches!(told, Told::Ended(Some(_))), "{told:?}");
    let forgotten = running.connect().await.carry(carry("forgotten")).await;
    assert!(matches!(forgotten, Err(Unreachable::Gone)));
}

#[tokio::test]
async fn who_goes_away_without_a_word_is_noticed() {
    let running = Running::start();
    let carried = running.carried("friday").await;
    assert_eq!(running.pretend.noted().await, "carried friday");
    drop(carried);
    assert_eq!(running.pretend.noted().await, "Gone friday");
}

/// Its sessions are somebody's game; nonsense on the line must not end them.
#[tokio::test]
async fn nonsense_from_whom_work_is_carried_for_harms_nobody() {
    let running = Running::start();
    let mut carried = running.raw().await;
    let request = wire::Request::Carry(Box::new(carry("friday")))
        .line()
        .unwrap();
    carried.say(request.as_bytes()).await;
    assert_eq!(carried.hear().await.unwrap()["reply"], "carried");
    assert_eq!(running.pretend.noted().await, "carried friday");
    carried
        .say(b"\n{}\nhello\n{\"version\":1,\"request\":\"status\"}\n")
        .await;
    carried
        .say(b"{\"version\":1,\"request\":\"drain\"}\n")
        .await;
    assert_eq!(running.pretend.noted().await, "Drain friday");
}

#[tokio::test]
async fn lines_that_nobody_takes_are_counted_and_the_count_is_told() {
    let running = Running::start();
    let flood = CONTROL_QUEUE + 100;
    *running.pretend.flood.lock().unwrap() = flood;
    let mut carried = running.carried("friday").await;
    carried.now().await;
    let (mut lines, mut missed) = (0, 0);
    loop {
        match soon("a line", carried.next()).await.unwrap() {
            Told::Line(..) => lines += 1,
            Told::Missed(count) => missed += count,
            Told::Ended(failure) => break assert_eq!(failure, None),
            Told::HandedBack => panic!("nothing ends but the work"),
        }
    }
    assert!(missed > 0);
    assert_eq!(lines + missed, flood as u64);
}

/// It has stopped reading: suspended with Ctrl-Z, say. Players and others go on.
#[tokio::test]
async fn who_never_reads_is_given_up_and_holds_up_nobody() {
    let running = Running::start();
    let mut carried = running.raw().await;
    let request = wire::Request::Carry(Box::new(carry("friday")))
        .line()
        .unwrap();
    carried.say(request.as_bytes()).await;
    assert_eq!(running.pretend.noted().await, "carried friday");
    let sink = running.pretend.sinks.lock().unwrap()[0].clone();
    let stop = CancellationToken::new();
    let flooding = running.tasks.spawn({
        let stop = stop.clone();
        async move {
            while !stop.is_cancelled() {
                sink.line(Stream::Log, "x".repeat(10_000));
                tokio::task::yield_now().await;
            }
        }
    });
    // Meanwhile others are answered.
    running.connect().await.status().await.unwrap();
    assert_eq!(running.pretend.noted().await, "Gone friday");
    stop.cancel();
    flooding.await.unwrap();
    drop(carried);
}

#[tokio::test]
async fn however_much_is_carried_there_is_room_for_a_question() {
    let running = Running::start();
    let mut carried = Vec::new();
    for n in 0..CONTROL_ATTACHED_MAX {
        carried.push(running.carried(&format!("n{n}")).await);
    }
    let one_more = running.connect().await.carry(carry("more")).await;
    assert!(matches!(one_more, Err(Unreachable::Refused(_))));
    running.connect().await.status().await.unwrap();
}
