//! What happens by itself: pairings, visits, openings of agents.

use super::{Act, DAY, HOUR, Living, MINUTE, Mix, WARM_UP};

impl Living {
    /// A second of a day's office hours.
    fn office(&mut self, day: u64) -> u64 {
        day * DAY + 8 * HOUR + self.chance.below(10 * HOUR)
    }

    /// Everything that happens by itself: pairings, visits, openings of agents.
    pub(super) fn write_calendar(&mut self) {
        let (days, mix) = (self.life.days, self.life.mix);
        for hospital in 0..self.life.hospitals {
            for pass in 0..(days + WARM_UP) * 6 {
                let at = pass * 4 * HOUR + self.chance.below(4 * HOUR);
                self.at(at, Act::WakeHospital { hospital });
            }
        }
        for person in 0..self.life.people {
            let (morning, evening) = (
                6 * HOUR + self.chance.below(4 * HOUR),
                17 * HOUR + self.chance.below(6 * HOUR),
            );
            for day in 0..days + WARM_UP {
                for habit in [morning, evening] {
                    let at = day * DAY + habit + self.chance.below(30 * MINUTE);
                    self.at(at, Act::Open { person });
                }
            }
            let mut all: Vec<usize> = (0..self.life.hospitals).collect();
            let wanted = 2 + usize::try_from(self.chance.below(3)).unwrap_or(0);
            while all.len() > wanted.min(self.life.hospitals) {
                let gone = usize::try_from(self.chance.below(all.len() as u64)).unwrap_or(0);
                all.swap_remove(gone);
            }
            for hospital in all {
                let mut day = WARM_UP + self.chance.below(days * 3 / 4);
                let mut first = true;
                while day < days + WARM_UP {
                    let visit = self.office(day);
                    if first {
                        self.at(visit, Act::Pair { person, hospital });
                    }
                    let written = visit + 20 * MINUTE + self.chance.below(4 * HOUR);
                    self.at(written, Act::Write { person, hospital });
                    if self.chance.percent(40) {
                        match mix {
                            Mix::Room => {
                                self.at(visit + 5 * MINUTE, Act::Room { person, hospital });
                            }
                            _ if first => {}
                            _ => {
                                // Consents of several pseudonyms take longer.
                                let least = if self.life.is_planned_long_ahead() {
                                    15
                                } else {
                                    3
                                };
                                let ahead = least + self.chance.below(5);
                                let asked = self.office(day.saturating_sub(ahead));
                                self.at(
                                    asked,
                                    Act::Ask {
                                        person,
                                        hospital,
                                        visit,
                                    },
                                );
                            }
                        }
                    }
                    first = false;
                    day += 5 + self.chance.below(35);
                }
            }
            if mix == Mix::Everything && person % 3 == 0 {
                let day = WARM_UP + days / 2 + self.chance.below(days / 2);
                let at = day * DAY + self.chance.below(DAY);
                self.at(at, Act::Everything { person });
            }
            if mix == Mix::Erases && person % 3 < 2 {
                let day = WARM_UP + days / 2 + self.chance.below(days / 2);
                let at = day * DAY + self.chance.below(DAY);
                let act = match person % 3 {
                    0 => Act::Erase { person },
                    _ => Act::Rotate { person },
                };
                self.at(at, act);
            }
        }
    }
}
