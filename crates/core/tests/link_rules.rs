//! The rules of links and channels, one by one: whose turn it is, what silence means, what is refused, what
//! contradicts itself, and what memory is given back.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "test code: failing is its purpose"
)]

mod link_pair;

use link_pair::{ID, SECOND, clock, drain, hear_all, pair, small_limits, turns};
use via6_core::channel::{Channel, ChannelLimits, End, Violation};
use via6_core::frame::{ChannelId, Closed, Frame, LinkId, Refusal, Reset, ServiceId, Standing};
use via6_core::limits::{
    CHANNEL_SPARE, CHANNEL_WINDOW_FIRST, FRAME_BODY_MAX, HOST_WINDOW_MAX, LINK_KEPT_MAX, LINKS_MAX,
    LINKS_PER_IDENTITY, TURN_SMALL_RUN,
};
use via6_core::link::{AttachError, Carrier, Heard, LinkError, LinkLimits, Links};

#[test]
fn a_download_does_not_hold_up_a_game_message_and_goes_on_beside_many() {
    let now = clock();
    let (mut joiner, mut host) = pair(LinkLimits::default(), now);
    let bulk = joiner.open(ServiceId(1), now).unwrap();
    let chats: Vec<_> = (0..50)
        .map(|_| joiner.open(ServiceId(1), now).unwrap())
        .collect();
    hear_all(&mut host, &drain(&mut joiner, now), now);
    let wide = Standing {
        channel: bulk,
        received: 0,
        limit: 1 << 20,
        fin: false,
        reset: false,
        done: false,
        deaf: false,
    };
    host.on_frame(1, Frame::Ack(wide), now).map(|_| ()).unwrap();
    assert_eq!(host.take(bulk, &vec![0; 500_000]), 500_000);
    for &chat in &chats {
        assert_eq!(host.take(chat, b"hello"), 5);
    }
    let order: Vec<_> = turns(&mut host, now);
    let of_bulk = |carrier: &Carrier| *carrier == Carrier::Channel(bulk);
    let run = TURN_SMALL_RUN as usize;
    let first_bulk = order.iter().position(of_bulk).unwrap();
    assert_eq!(first_bulk, run, "small ones first, and not for ever");
    let served = order
        .iter()
        .take(chats.len() + 1)
        .filter(|c| !of_bulk(c))
        .count();
    assert_eq!(
        served,
        chats.len(),
        "each chat once before any has a second turn: {order:?}"
    );
}

#[test]
fn bulk_channels_have_their_turns_in_a_row() {
    let now = clock();
    let (mut joiner, mut host) = pair(LinkLimits::default(), now);
    let ids: Vec<_> = (0..3)
        .map(|_| joiner.open(ServiceId(1), now).unwrap())
        .collect();
    hear_all(&mut host, &drain(&mut joiner, now), now);
    // Two frames each.
    let two = 2 * (FRAME_BODY_MAX - 12);
    for &id in &ids {
        assert_eq!(host.take(id, &vec![0; two]), two);
    }
    let order: Vec<_> = turns(&mut host, now);
    let expected: Vec<_> = ids.iter().map(|id| Carrier::Channel(*id)).collect();
    assert_eq!(order.get(..3), Some(&expected[..]));
    assert_eq!(order.get(3..6), Some(&expected[..]));
}

#[test]
fn silence_makes_suspect_then_ends_and_games_are_reset() {
    let now = clock();
    let (mut joiner, mut host) = pair(LinkLimits::default(), now);
    let id = joiner.open(ServiceId(1), now).unwrap();
    hear_all(&mut host, &drain(&mut joiner, now), now);
    assert!(!host.is_suspect(now + 2 * SECOND) && host.is_suspect(now + 3 * SECOND));
    host.on_time(now + 24 * SECOND);
    assert_eq!((host.ended(), host.end_of(id)), (None, None));
    assert_eq!(
        host.next_deadline(now + 24 * SECOND),
        Some(now + 25 * SECOND)
    );
    host.on_time(now + 25 * SECOND);
    assert_eq!(host.ended(), Some(Closed::Hold));
    assert_eq!(host.end_of(id), Some(End::Reset(Reset::Stopped)));
    assert_eq!(host.next_deadline(now), None);
    host.release(id, now);
    assert_eq!(host.channels().count(), 0);
}

#[test]
fn a_transport_that_is_superseded_is_not_the_end_of_the_link() {
    let now = clock();
    let (mut joiner, _) = pair(LinkLimits::default(), now);
    let close = |code| Frame::Close { code, message: "" };
    let heard = joiner.on_frame(1, close(Closed::Superseded), now).unwrap();
    assert!(matches!(heard, Heard::Closed { .. }));
    assert_eq!(joiner.ended(), None);
    assert!(joiner.is_suspect(now), "it looks for the next transport");
    let (mut joiner, _) = pair(LinkLimits::default(), now);
    let _heard = joiner.on_frame(1, close(Closed::Kicked), now).unwrap();
    assert_eq!(joiner.ended(), Some(Closed::Kicked));
}

#[test]
fn a_joiner_holds_as_long_as_its_host_says() {
    let now = clock();
    let (mut joiner, _) = pair(LinkLimits::default(), now);
    joiner.open(ServiceId(1), now).unwrap();
    joiner.set_hold(40 * SECOND);
    joiner.on_time(now + 39 * SECOND);
    assert_eq!(joiner.ended(), None);
    joiner.on_time(now + 40 * SECOND);
    assert_eq!(joiner.ended(), Some(Closed::Hold));
}

#[test]
fn an_idle_link_is_not_suspect_and_the_first_game_does_not_make_it_so() {
    let now = clock();
    let (mut joiner, _) = pair(LinkLimits::default(), now);
    let later = now + 14 * SECOND;
    assert!(!joiner.is_suspect(later));
    joiner.open(ServiceId(1), later).unwrap();
    assert!(!joiner.is_suspect(later + 2 * SECOND));
    assert!(joiner.is_suspect(later + 3 * SECOND));
}

#[test]
fn pings_are_sent_each_second_and_answered() {
    let now = clock();
    let (mut joiner, mut host) = pair(LinkLimits::default(), now);
    joiner.open(ServiceId(1), now).unwrap();
    for second in 0..5 {
        let now = now + second * SECOND;
        let sent = drain(&mut joiner, now);
        assert_eq!(
            sent.iter().filter(|(c, _)| *c == Carrier::Control).count(),
            1,
            "at {second} s"
        );
        hear_all(&mut host, &sent, now);
        let answer = drain(&mut host, now);
        assert!(
            answer.iter().any(|(c, _)| *c == Carrier::Control),
            "at {second} s"
        );
        hear_all(&mut joiner, &answer, now);
    }
}

#[test]
fn a_download_to_a_player_who_left_stops_at_once() {
    let now = clock();
    let (mut joiner, mut host) = pair(LinkLimits::default(), now);
    let id = joiner.open(ServiceId(1), now).unwrap();
    hear_all(&mut host, &drain(&mut joiner, now), now);
    host.take(id, &vec![7; 30_000]);
    joiner.reset(id, Reset::Game);
    joiner.release(id, now);
    hear_all(&mut host, &drain(&mut joiner, now), now);
    assert_eq!(host.end_of(id), Some(End::Reset(Reset::Game)));
    assert_eq!(host.can_take(id), 0);
    let sent: usize = drain(&mut host, now)
        .iter()
        .map(|(_, bytes)| bytes.len())
        .sum();
    assert!(sent < 100, "{sent} bytes for nobody");
}

#[test]
fn a_reset_behind_bytes_that_nobody_takes_can_be_hurried() {
    let now = clock();
    let (mut joiner, mut host) = pair(LinkLimits::default(), now);
    let id = joiner.open(ServiceId(1), now).unwrap();
    joiner.take(id, &vec![7; 100_000]);
    hear_all(&mut host, &drain(&mut joiner, now), now);
    joiner.reset(id, Reset::Game);
    hear_all(&mut host, &drain(&mut joiner, now), now);
    assert_eq!(
        host.end_of(id),
        None,
        "the game does not read, so the reset waits"
    );
    hear_all(&mut joiner, &drain(&mut host, now + SECOND), now);
    assert_eq!(joiner.kept(id), 100_000 - CHANNEL_WINDOW_FIRST);
    joiner.abort(id, Reset::Game);
    hear_all(&mut host, &drain(&mut joiner, now), now);
    let [first, second] = host.readable(id);
    assert_eq!(
        first.len() + second.len(),
        CHANNEL_WINDOW_FIRST,
        "what was sent is still for the game"
    );
    host.taken(id, CHANNEL_WINDOW_FIRST, now);
    assert_eq!(host.end_of(id), Some(End::Reset(Reset::Game)));
}

#[test]
fn more_channels_than_there_may_be_are_refused_and_nothing_is_kept() {
    let now = clock();
    let (_, mut host) = pair(small_limits(), now);
    for id in 0..8 {
        let open = Frame::Open {
            channel: ChannelId(id),
            service: ServiceId(1),
        };
        let heard = host.on_frame(1, open, now).unwrap();
        assert_eq!(matches!(heard, Heard::Opened { .. }), id < 4);
    }
    let open = Frame::Open {
        channel: ChannelId(99),
        service: ServiceId(1),
    };
    assert_eq!(host.on_frame(1, open, now), Err(LinkError::Flood));
    assert_eq!(host.channels().count(), 4);
    let refusals = drain(&mut host, now);
    assert!(refusals.len() >= 4);
}

#[test]
fn windows_grow_for_a_quick_reader_and_stop_at_what_a_link_may_have() {
    let now = clock();
    let limits = LinkLimits {
        window_max: 3 * CHANNEL_WINDOW_FIRST,
        ..LinkLimits::default()
    };
    let (mut joiner, mut host) = pair(limits, now);
    let id = joiner.open(ServiceId(1), now).unwrap();
    hear_all(&mut host, &drain(&mut joiner, now), now);
    for _ in 0..20 {
        let room = joiner.can_take(id);
        joiner.take(id, &vec![0; room]);
        hear_all(&mut host, &drain(&mut joiner, now), now);
        host.taken(id, 1 << 20, now);
        hear_all(&mut joiner, &drain(&mut host, now), now);
        host.check_invariants().unwrap();
    }
    let room = joiner.can_take(id);
    joiner.take(id, &vec![0; room]);
    hear_all(&mut host, &drain(&mut joiner, now), now);
    let [first, second] = host.readable(id);
    let held = first.len() + second.len();
    assert_eq!(
        held,
        2 * CHANNEL_WINDOW_FIRST,
        "doubled once, and then there was no room"
    );
}

#[test]
fn an_attach_is_refused_by_generation_owner_and_number() {
    let now = clock();
    let mut links = Links::new(LinkLimits::default(), 3, 2);
    let attach = |links: &mut Links<&str>, who, id: u8, generation, at| {
        let none: (ChannelId, &[Standing]) = (ChannelId(0), &[]);
        match links.attach(&who, LinkId([id; 16]), generation, none, at) {
            Ok(took) => Ok(took.replaced.len()),
            Err(AttachError::Refused(code)) => Err(code),
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(attach(&mut links, "alice", 1, 5, now), Ok(0));
    assert_eq!(
        attach(&mut links, "alice", 1, 5, now),
        Err(Refusal::Generation)
    );
    assert_eq!(
        attach(&mut links, "alice", 1, 4, now),
        Err(Refusal::Generation)
    );
    assert_eq!(attach(&mut links, "bob", 1, 6, now), Err(Refusal::Link));
    assert_eq!(attach(&mut links, "alice", 2, 1, now), Ok(0));
    assert_eq!(attach(&mut links, "alice", 3, 1, now), Err(Refusal::Full));
    assert_eq!(attach(&mut links, "bob", 4, 1, now), Ok(0));
    assert_eq!(attach(&mut links, "carol", 5, 1, now), Err(Refusal::Full));
    // No ghosts: what was silent makes room for the same player's next.
    links.get_mut(LinkId([1; 16])).unwrap().on_cut(5);
    assert_eq!(attach(&mut links, "alice", 3, 1, now), Ok(1));
    assert_eq!(links.len(), 3);
    assert_eq!(links.end_identity(&"alice", Closed::Kicked, now).len(), 2);
    assert_eq!(links.on_time(now + 60 * SECOND).len(), 1);
    assert!(links.is_empty());
}

#[test]
fn many_links_have_less_memory_each() {
    let now = clock();
    let first = LinkId([0; 16]);
    let room_beside = |others: usize| {
        let mut links = Links::new(LinkLimits::default(), LINKS_MAX, LINKS_PER_IDENTITY);
        for number in 0..=others {
            let id = LinkId((number as u128).to_be_bytes());
            let took = links.attach(&number, id, 1, (ChannelId(0), &[]), now);
            assert!(took.is_ok());
        }
        let link = links.get_mut(first).unwrap();
        for id in 0..64 {
            let open = Frame::Open {
                channel: ChannelId(id),
                service: ServiceId(1),
            };
            let _opened = link.on_frame(1, open, now).unwrap();
            let room = link.can_take(ChannelId(id));
            link.take(ChannelId(id), &vec![0; room]);
        }
        let kept: usize = (0..64).map(|id| link.kept(ChannelId(id))).sum();
        assert!((0..64).all(|id| link.kept(ChannelId(id)) >= CHANNEL_WINDOW_FIRST));
        kept
    };
    let (alone, few, many) = (room_beside(0), room_beside(15), room_beside(127));
    assert_eq!(alone, few, "16 players notice nothing of it");
    assert!(alone >= LINK_KEPT_MAX);
    let share = HOST_WINDOW_MAX / 128 + 64 * CHANNEL_WINDOW_FIRST;
    assert!(many <= share, "{many} bytes of a share of {share}");
}

#[test]
fn one_identity_does_not_take_all_the_links_of_a_host() {
    let now = clock();
    let mut links = Links::default();
    for number in 0..LINKS_MAX + 10 {
        let id = LinkId((number as u128).to_be_bytes());
        let took = links.attach(&"mallory", id, 1, (ChannelId(0), &[]), now);
        assert_eq!(took.is_ok(), number < LINKS_PER_IDENTITY, "link {number}");
    }
    let took = links.attach(&"alice", LinkId([9; 16]), 1, (ChannelId(0), &[]), now);
    assert!(took.is_ok());
}

#[test]
fn a_channel_knows_what_contradicts_itself() {
    let now = clock();
    let new = || Channel::new(ID, ChannelLimits::default());
    let limit = CHANNEL_WINDOW_FIRST as u64;
    let mut channel = new();
    assert_eq!(channel.on_data(1, b"x", now), Err(Violation::Gap));
    assert_eq!(channel.on_data(limit, b"x", now), Err(Violation::Limit));
    assert_eq!(channel.on_data(u64::MAX, b"xy", now), Err(Violation::Limit));
    assert_eq!(channel.on_data(0, b"abc", now), Ok(3));
    assert_eq!(channel.on_data(1, b"bcde", now), Ok(2));
    assert_eq!(channel.on_data(0, b"abc", now), Ok(0));
    assert_eq!(channel.on_fin(6), Err(Violation::Gap));
    assert_eq!(channel.on_fin(4), Err(Violation::End));
    assert_eq!(channel.on_fin(5), Ok(()));
    assert_eq!(channel.on_data(5, b"x", now), Err(Violation::End));
    assert_eq!(channel.on_rst(6, Reset::Game), Err(Violation::End));
    assert_eq!(
        channel.end(),
        None,
        "the game has yet to take what came before"
    );
    channel.taken(5, 0, now);
    assert_eq!(channel.end(), Some(End::Fin));
    assert_eq!(channel.on_rst(5, Reset::Game), Ok(()));
    assert_eq!(channel.end(), Some(End::Reset(Reset::Game)));
    let lies = Standing {
        received: 1,
        ..new().standing()
    };
    assert_eq!(new().on_standing(&lies), Err(Violation::Acknowledgement));
    let lies = Standing {
        fin: true,
        ..new().standing()
    };
    assert_eq!(new().on_standing(&lies), Err(Violation::Acknowledgement));
}

#[test]
fn an_idle_channel_keeps_no_memory_and_a_busy_one_gives_it_back() {
    let now = clock();
    let (mut sender, mut receiver) = (
        Channel::new(ID, ChannelLimits::default()),
        Channel::new(ID, ChannelLimits::default()),
    );
    assert!(
        size_of::<Channel>() <= 512,
        "{} bytes",
        size_of::<Channel>()
    );
    sender.take(&vec![1; CHANNEL_WINDOW_FIRST]);
    assert_eq!(sender.kept(), CHANNEL_WINDOW_FIRST);
    receiver
        .on_data(0, &vec![1; CHANNEL_WINDOW_FIRST], now)
        .unwrap();
    let mut out = Vec::new();
    while sender.transmit(20_000, now, &mut out) {}
    sender.on_standing(&receiver.standing()).unwrap();
    assert_eq!(sender.kept(), 0);
    receiver.taken(CHANNEL_WINDOW_FIRST, 0, now);
    for channel in [sender, receiver] {
        let bytes = channel.allocated();
        assert!(bytes <= 2 * CHANNEL_SPARE, "{bytes} bytes for nothing");
    }
}
