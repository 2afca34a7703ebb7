//! `quantile_cont(x, q)` and `approx_quantile(x, q)`: DuckDB's names, and accumulators for groups.
//!
//! Durations repeat: a million of them are a few thousand different ones. So each group counts how
//! often each value occurs, instead of keeping all of them. The approximate one counts values whose
//! first nine binary digits agree as one, as HdrHistogram does ("sub-buckets"), so that a group
//! stays small whatever its values; it is off by 0.1 % of the value at most.

use std::sync::Arc;

use arrow::array::{
    Array as _, ArrayRef, AsArray as _, BooleanArray, Float64Array, Float64Builder, ListBuilder, UInt64Builder,
};
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type, UInt64Type};
use datafusion::common::{HashMap, ScalarValue, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility};
use datafusion::physical_expr::expressions::Literal;

use emp_rollup::{DROPPED_BITS, each_bin, middle_of};

/// The name of the approximate one, whose bins are those of the rollups' sketches.
pub(crate) const APPROXIMATE_QUANTILE: &str = "approx_quantile";

/// A quantile with linear interpolation between the two nearest values.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Quantile {
    name: &'static str,
    dropped_bits: u32,
    /// Do sketches come before the values, which are null in their rows?
    of_sketches: bool,
    signature: Signature,
}

impl Quantile {
    pub fn exact() -> Self {
        Self::new("quantile_cont", 0, false)
    }

    pub fn approximate() -> Self {
        Self::new(APPROXIMATE_QUANTILE, DROPPED_BITS, false)
    }

    /// `(sketch, x, q)`: the approximate one of all that the sketches count, and of the values.
    pub fn of_sketches() -> Self {
        Self::new("quantile_of_sketches", DROPPED_BITS, true)
    }

    fn new(name: &'static str, dropped_bits: u32, of_sketches: bool) -> Self {
        let mut arguments = vec![DataType::Float64, DataType::Float64];
        if of_sketches {
            arguments.insert(0, DataType::Binary);
        }
        Self { name, dropped_bits, of_sketches, signature: Signature::exact(arguments, Volatility::Immutable) }
    }

    fn counts(&self, args: &AccumulatorArgs<'_>) -> Result<Counts> {
        if args.is_distinct {
            return plan_err!("{0} takes no DISTINCT: write {0}(x, 0.5) from (select distinct x from …)", self.name);
        }
        let of = args.exprs.last().and_then(|expr| expr.downcast_ref::<Literal>());
        match of.map(Literal::value) {
            Some(ScalarValue::Float64(Some(of))) if (0.0..=1.0).contains(of) => {
                let Self { dropped_bits, of_sketches, .. } = *self;
                Ok(Counts { of: *of, dropped_bits, of_sketches, groups: Vec::new() })
            }
            _ => plan_err!("the second argument of {} is a number from 0 to 1, such as 0.95", self.name),
        }
    }
}

impl AggregateUDFImpl for Quantile {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let list = |name: &str, item: DataType| {
            Arc::new(Field::new_list(format!("{}[{name}]", args.name), Field::new_list_field(item, true), true))
        };
        Ok(vec![list("values", DataType::Float64), list("counts", DataType::UInt64)])
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(OneGroup(self.counts(&args)?)))
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        !args.is_distinct
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(self.counts(&args)?))
    }
}

/// How often each value occurs, in each group.
#[derive(Debug)]
struct Counts {
    /// The quantile, from 0 to 1.
    of: f64,
    dropped_bits: u32,
    of_sketches: bool,
    /// By the value's bits, without those that are dropped.
    groups: Vec<HashMap<u64, u64>>,
}

impl Counts {
    fn add(&mut self, group: usize, value: f64, count: u64) {
        // No duration is NaN, and nothing can be said of it.
        if !value.is_nan() {
            *self.groups[group].entry(value.to_bits() >> self.dropped_bits).or_default() += count;
        }
    }

    fn quantile(&self, counts: &HashMap<u64, u64>) -> Option<f64> {
        let mut sorted: Vec<(f64, u64)> =
            counts.iter().map(|(key, count)| (middle_of(*key, self.dropped_bits), *count)).collect();
        sorted.sort_unstable_by(|(a, _), (b, _)| a.total_cmp(b));
        let all: u64 = sorted.iter().map(|(_, count)| count).sum();
        let place = all.checked_sub(1)? as f64 * self.of;
        let (low, high) = (nth(&sorted, place.floor() as u64)?, nth(&sorted, place.ceil() as u64)?);
        Some(between(low, high, place.fract()))
    }

    fn take(&mut self, emit_to: EmitTo) -> Vec<HashMap<u64, u64>> {
        emit_to.take_needed(&mut self.groups)
    }

    fn states(&self, groups: &[HashMap<u64, u64>]) -> Vec<ArrayRef> {
        let mut values = ListBuilder::new(Float64Builder::new());
        let mut counts = ListBuilder::new(UInt64Builder::new());
        for group in groups {
            for (key, count) in group {
                values.values().append_value(middle_of(*key, self.dropped_bits));
                counts.values().append_value(*count);
            }
            values.append(true);
            counts.append(true);
        }
        vec![Arc::new(values.finish()), Arc::new(counts.finish())]
    }
}

/// The value at that share of the way from one value to the next.
fn between(low: f64, high: f64, share: f64) -> f64 {
    let distance = high - low;
    if distance.is_finite() {
        low + distance * share
    } else if share == 0.0 {
        low
    } else {
        // One of them is infinite, or they lie further apart than a number can say.
        low * (1.0 - share) + high * share
    }
}

/// The value at a place in the order of all.
fn nth(sorted: &[(f64, u64)], place: u64) -> Option<f64> {
    let mut passed = 0;
    let found = sorted.iter().find(|(_, count)| {
        passed += count;
        place < passed
    });
    found.map(|(value, _)| *value)
}

impl GroupsAccumulator for Counts {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        all_groups: usize,
    ) -> Result<()> {
        self.groups.resize_with(all_groups, HashMap::new);
        let (sketches, values) = match self.of_sketches {
            true => (Some(values[0].as_binary::<i32>()), values[1].as_primitive::<Float64Type>()),
            false => (None, values[0].as_primitive::<Float64Type>()),
        };
        for (row, group) in groups.iter().enumerate() {
            if filter.is_some_and(|filter| filter.is_null(row) || !filter.value(row)) {
                continue;
            }
            if values.is_valid(row) {
                self.add(*group, values.value(row), 1);
            }
            if let Some(sketch) = sketches.filter(|sketches| sketches.is_valid(row)) {
                let counts = &mut self.groups[*group];
                each_bin(sketch.value(row), |bin, count| *counts.entry(u64::from(bin)).or_default() += count);
            }
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], all_groups: usize) -> Result<()> {
        self.groups.resize_with(all_groups, HashMap::new);
        let (values, counts) = (states[0].as_list::<i32>(), states[1].as_list::<i32>());
        for (row, group) in groups.iter().enumerate() {
            let (values, counts) = (values.value(row), counts.value(row));
            let counts = counts.as_primitive::<UInt64Type>().values();
            for (value, count) in values.as_primitive::<Float64Type>().values().iter().zip(counts) {
                self.add(*group, *value, *count);
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let groups = self.take(emit_to);
        Ok(Arc::new(groups.iter().map(|counts| self.quantile(counts)).collect::<Float64Array>()))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let groups = self.take(emit_to);
        Ok(self.states(&groups))
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let rows = values[0].len();
        let mut each = Self { groups: Vec::new(), ..*self };
        each.update_batch(values, &(0..rows).collect::<Vec<_>>(), filter, rows)?;
        Ok(each.states(&each.groups))
    }

    fn size(&self) -> usize {
        let entries: usize = self.groups.iter().map(HashMap::capacity).sum();
        // A key, a count, and a byte of the table's own for each.
        entries * 17 + self.groups.capacity() * size_of::<HashMap<u64, u64>>()
    }
}

/// The same without groups.
#[derive(Debug)]
struct OneGroup(Counts);

impl Accumulator for OneGroup {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.0.update_batch(values, &vec![0; values[0].len()], None, 1)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.0.merge_batch(states, &vec![0; states[0].len()], 1)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Float64(self.0.groups.first().and_then(|counts| self.0.quantile(counts))))
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.0.groups.resize_with(1, HashMap::new);
        let states = self.0.states(&self.0.groups);
        states.iter().map(|state| ScalarValue::try_from_array(state, 0)).collect()
    }

    fn size(&self) -> usize {
        GroupsAccumulator::size(&self.0)
    }
}
