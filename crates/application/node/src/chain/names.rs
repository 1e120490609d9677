//! What one digest stands for, in the chain's order. Of one who names a digest again and again only the earliest count, so
//! that it makes no look-up long for others, and takes nobody's place. What an owner stands for counts, however late.

use std::collections::HashMap;

use medibloc_record::AccountId;

use super::model::Object;

/// Objects of one digest of which nobody asks who named them.
const FEW: usize = 16;
/// Objects beyond those that one author named for one owner, or one giver. Honest ones name each digest once.
const SAME: u8 = 16;

/// What a digest stands for.
#[derive(Debug, Default)]
pub(super) struct Names {
    objects: Vec<Object>,
    /// Their places on the chain.
    places: Vec<u64>,
    /// How many each pair has beyond the few; almost always none.
    by: HashMap<[AccountId; 2], u8>,
}

impl Names {
    pub(super) fn objects(&self) -> &[Object] {
        &self.objects
    }

    /// An account names it for another, or for itself; places only grow.
    pub(super) fn add(&mut self, by: [AccountId; 2], place: u64, object: Object) {
        if self.objects.len() < FEW {
            self.stand(place, object);
            return;
        }
        let count = self.by.entry(by).or_default();
        if *count < SAME && self.objects.last() != Some(&object) {
            *count += 1;
            self.objects.push(object);
            self.places.push(place);
        }
    }

    /// It counts whoever named it however often: its owner stands for it.
    pub(super) fn stand(&mut self, place: u64, object: Object) {
        if !self.objects.contains(&object) {
            let at = self.places.partition_point(|it| *it <= place);
            self.objects.insert(at, object);
            self.places.insert(at, place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use medibloc_record::RecordId;

    #[test]
    fn who_names_a_digest_without_end_neither_makes_it_long_nor_keeps_another_out() {
        let account = |number| AccountId::new([number; 20]);
        let object = |number: u32| {
            let mut id = [0; 32];
            id[..4].copy_from_slice(&number.to_be_bytes());
            Object::Of(RecordId::new(id))
        };
        let mut names = Names::default();
        for number in 0..10_000 {
            names.add([account(1); 2], number.into(), object(number));
        }
        assert_eq!(names.objects().len(), FEW + usize::from(SAME));
        assert_eq!(names.objects()[0], object(0), "the earliest");
        for other in [[account(2); 2], [account(1), account(2)]] {
            let honest = object(u32::from(other[0].as_bytes()[0]) + 20_000);
            names.add(other, 20_000, honest);
            assert_eq!(names.objects().last(), Some(&honest));
        }
        // What an owner stands for later, among the others in the chain's order.
        for _ in 0..2 {
            names.stand(5_000, object(5_000));
            assert_eq!(names.objects().len(), FEW + usize::from(SAME) + 3);
            assert_eq!(names.objects()[FEW + usize::from(SAME)], object(5_000));
        }
    }
}
