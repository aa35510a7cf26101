//! The instants that a schedule means: when it was last due and when it is next, and how systemd and cron write it.
//!
//! A schedule names a time with a fixed offset, so its instants are the same seconds of every week, whatever clocks do in between.

use jiff::Timestamp;

use super::{Day, Days, Schedule};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const WEEK: i64 = 7 * DAY;

/// From the beginning of a week to that of 1970, which was a Thursday.
const EPOCH_IN_ITS_WEEK: i64 = 3 * DAY;

impl Schedule {
    /// The schedule as systemd's `OnCalendar=` takes it, in UTC.
    pub fn on_calendar(&self) -> String {
        let (days, second) = self.at(0);
        let days: Vec<&str> = days.as_slice().iter().map(|day| &day.as_str()[..3]).collect();
        let days = if days.len() == Day::ALL.len() { String::new() } else { days.join(",") + " " };
        format!("{days}*-*-* {:02}:{:02}:{:02} UTC", second / HOUR, second % HOUR / MINUTE, second % MINUTE)
    }

    /// The first five fields of a line of cron, whose clock is `offset` seconds ahead of UTC. Cron knows no seconds: they are left out.
    pub fn cron(&self, offset: i32) -> String {
        let (days, second) = self.at(offset.into());
        let numbers: Vec<String> = days.as_slice().iter().map(|day| ((*day as u8 + 1) % 7).to_string()).collect();
        let days = if numbers.len() == Day::ALL.len() { "*".to_owned() } else { numbers.join(",") };
        format!("{} {} * * {days}", second % HOUR / MINUTE, second / HOUR)
    }

    /// The last instant of the schedule that is not after `now`.
    pub fn last_slot(&self, now: Timestamp) -> Timestamp {
        let now = now.as_second();
        let ago = self.seconds_of_week().map(|slot| (now + EPOCH_IN_ITS_WEEK - slot).rem_euclid(WEEK)).min();
        instant(now - ago.expect("a schedule has a day"))
    }

    /// The first instant of the schedule after `now`.
    pub fn next_slot(&self, now: Timestamp) -> Timestamp {
        let now = now.as_second();
        let ahead = self.seconds_of_week().map(|slot| WEEK - (now + EPOCH_IN_ITS_WEEK - slot).rem_euclid(WEEK)).min();
        instant(now + ahead.expect("a schedule has a day"))
    }

    /// The slot whose run is due at `now`, if one is: the last one, unless a run `since` took care of it.
    ///
    /// `since` is when the last run began. For a schedule that never ran it is when the entry was last changed, so that a new schedule
    /// waits for its first slot; without even that, any slot that is over is due. Slots that were missed are made up for by one run.
    /// A run that seems to lie in the future, because a clock was set back, is taken at its word: nothing is due before it is over.
    pub fn due(&self, since: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
        let slot = self.last_slot(now);
        since.is_none_or(|since| since < slot).then_some(slot)
    }

    /// The same schedule by a clock that is so many seconds ahead of UTC: the days, and the second of the day.
    fn at(&self, offset: i64) -> (Days, i64) {
        let slots: Vec<i64> = self.seconds_of_week().map(|slot| (slot + offset).rem_euclid(WEEK)).collect();
        let days: Vec<Day> = slots.iter().map(|slot| Day::ALL[usize::try_from(slot / DAY).expect("a week has few days")]).collect();
        (days.try_into().expect("a schedule has a day"), slots[0] % DAY)
    }

    /// The instants as seconds since Monday 00:00 UTC.
    fn seconds_of_week(&self) -> impl Iterator<Item = i64> {
        let second = self.time.second_of_day();
        self.days.as_slice().iter().map(move |day| (i64::from(*day as u8) * DAY + second).rem_euclid(WEEK))
    }
}

fn instant(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap_or(if second < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn schedule(days: &str, time: &str) -> Schedule {
        Schedule { days: days.parse().unwrap(), time: time.parse().unwrap() }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    const EVERY_DAY: &str = "Mon,Tue,Wed,Thu,Fri,Sat,Sun";

    #[test]
    fn as_systemd_and_cron_write_it() {
        for (days, time, calendar, cron) in [
            ("Sat,Sun", "19:30:00+00:00", "Sat,Sun *-*-* 19:30:00 UTC", "30 19 * * 6,0"),
            ("Mon", "01:00:00+02:00", "Sun *-*-* 23:00:00 UTC", "0 23 * * 0"),
            ("Sun", "23:30:00-01:00", "Mon *-*-* 00:30:00 UTC", "30 0 * * 1"),
            ("Mon,Tue", "05:19:00+00:00", "Mon,Tue *-*-* 05:19:00 UTC", "19 5 * * 1,2"),
            ("Wed", "16:00:00Z", "Wed *-*-* 16:00:00 UTC", "0 16 * * 3"),
            ("Fri", "01:00:00", "Fri *-*-* 01:00:00 UTC", "0 1 * * 5"),
            (EVERY_DAY, "01:02:03", "*-*-* 01:02:03 UTC", "2 1 * * *"),
            // part of the week crosses its end
            ("Sun,Mon", "00:30+01:00", "Sat,Sun *-*-* 23:30:00 UTC", "30 23 * * 6,0"),
        ] {
            let schedule = schedule(days, time);
            assert_eq!((schedule.on_calendar(), schedule.cron(0)), (calendar.to_owned(), cron.to_owned()), "{days} {time}");
        }
    }

    #[test]
    fn cron_goes_by_its_own_clock() {
        for (offset, cron) in [(0, "0 23 * * 0"), (3600, "0 0 * * 1"), (-5 * 3600, "0 18 * * 0"), (5 * 3600 + 1800, "30 4 * * 1")] {
            assert_eq!(schedule("Mon", "01:00:00+02:00").cron(offset), cron);
        }
    }

    #[test]
    fn at_most_once_a_slot() {
        // 2026-11-21 is a Saturday
        let weekend = schedule("Sat,Sun", "19:30");
        for (since, now, due) in [
            // it ran on Sunday, and nothing is due until Saturday
            (Some("2026-11-15T19:30:00Z"), "2026-11-21T19:29:59Z", None),
            (Some("2026-11-15T19:30:00Z"), "2026-11-21T19:30:00Z", Some("2026-11-21T19:30:00Z")),
            // once it began, the slot is taken care of
            (Some("2026-11-21T19:30:00Z"), "2026-11-21T19:30:00Z", None),
            (Some("2026-11-21T19:30:05Z"), "2026-11-22T19:29:59Z", None),
            (Some("2026-11-21T19:30:05Z"), "2026-11-22T19:30:00Z", Some("2026-11-22T19:30:00Z")),
            // what was missed is made up for once
            (Some("2026-10-01T00:00:00Z"), "2026-11-25T08:00:00Z", Some("2026-11-22T19:30:00Z")),
            (Some("2026-11-25T08:00:00Z"), "2026-11-25T09:00:00Z", None),
            // a new schedule waits for its first slot
            (Some("2026-11-18T12:00:00Z"), "2026-11-18T12:00:01Z", None),
            (None, "2026-11-18T12:00:01Z", Some("2026-11-15T19:30:00Z")),
            // a clock that was set back
            (Some("2030-01-01T00:00:00Z"), "2026-11-21T19:30:00Z", None),
        ] {
            assert_eq!(weekend.due(since.map(at), at(now)), due.map(at), "{since:?} {now}");
        }
        assert_eq!(weekend.next_slot(at("2026-11-21T19:30:00Z")), at("2026-11-22T19:30:00Z"));
        assert_eq!(weekend.next_slot(at("2026-11-22T19:30:00Z")), at("2026-11-28T19:30:00Z"));
    }

    proptest! {
        #[test]
        fn slots_surround_now(mask in 1u8..128, minute in 0i64..1440, offset in -1439i64..1440, now in -4_000_000_000i64..8_000_000_000) {
            let days = Day::ALL.into_iter().filter(|day| mask & (1 << (*day as u8)) != 0).collect::<Vec<_>>();
            let sign = if offset < 0 { '-' } else { '+' };
            let time = format!("{:02}:{:02}{sign}{:02}:{:02}", minute / 60, minute % 60, offset.abs() / 60, offset.abs() % 60);
            let schedule = Schedule { days: days.clone().try_into().unwrap(), time: time.parse().unwrap() };
            let now = instant(now);
            let (last, next) = (schedule.last_slot(now), schedule.next_slot(now));
            prop_assert!(last <= now && now < next && next.as_second() - last.as_second() <= WEEK);
            prop_assert_eq!(schedule.last_slot(next), next);
            prop_assert_eq!(schedule.next_slot(last), next);
            // the calendar of jiff agrees about day and time
            let local = jiff::tz::Offset::from_seconds(i32::try_from(offset * MINUTE).unwrap()).unwrap().to_datetime(last);
            prop_assert!(days.contains(&Day::ALL[usize::try_from(local.weekday().to_monday_zero_offset()).unwrap()]));
            prop_assert_eq!(i64::from(local.hour()) * 60 + i64::from(local.minute()), minute);
        }

        #[test]
        fn a_run_takes_care_of_its_slot(since in 0i64..3_000_000_000, later in 0i64..3_000_000) {
            let schedule = schedule("Tue,Fri", "03:00-05:00");
            let (run, now) = (instant(since), instant(since + later));
            let due = schedule.due(Some(run), now);
            prop_assert_eq!(due.is_some(), schedule.next_slot(run) <= now);
            prop_assert_eq!(schedule.due(Some(now), now), None);
        }
    }
}
