//! The vertical axis: where a value is, and which values are marked.

use super::{Scale, short};

/// The range of an axis and the values that are marked on it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Axis {
    scale: Scale,
    low: f64,
    high: f64,
}

impl Axis {
    /// An axis for these values. A linear one begins at zero and ends at a round number; a logarithmic one covers whole
    /// powers of ten.
    pub(super) fn over(values: impl IntoIterator<Item = f64>, scale: Scale) -> Self {
        let mut values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        let highest = values.last().copied().unwrap_or_default();
        match scale {
            Scale::Linear => Self { scale, low: 0.0, high: round_up(highest) },
            Scale::Log => {
                let lowest = values.iter().copied().find(|value| *value > 0.0).unwrap_or(1.0);
                let low = 10_f64.powf(lowest.log10().floor());
                let high = 10_f64.powf(highest.max(low).log10().ceil());
                Self { scale, low, high: high.max(low * 10.0) }
            }
        }
    }

    /// Where a value is: 0 at the bottom, 1 at the top. What is beyond the range is at its end.
    pub(super) fn place(&self, value: f64) -> f64 {
        let place = match self.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            Scale::Log => (value.max(self.low) / self.low).log10() / (self.high / self.low).log10(),
        };
        place.clamp(0.0, 1.0)
    }

    /// The values that are marked, the lowest first, with their texts.
    pub(super) fn marks(&self) -> Vec<(f64, String)> {
        let values = match self.scale {
            Scale::Linear => vec![self.low, f64::midpoint(self.low, self.high), self.high],
            Scale::Log => {
                let powers = std::iter::successors(Some(self.low), |value| Some(value * 10.0));
                // Half a step more, because powers of ten are not exact.
                powers.take_while(|value| *value < self.high * 5.0).collect()
            }
        };
        values.into_iter().map(|value| (value, short(value))).collect()
    }
}

/// The next number of the form 1, 2 or 5 times a power of ten; 1 for anything less.
fn round_up(value: f64) -> f64 {
    if value <= 1.0 {
        return 1.0;
    }
    let power = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0];
    // A little less, because powers of ten are not exact.
    let step = steps.into_iter().find(|step| step * power >= value - 1e-9);
    step.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linear_axis_begins_at_zero_and_ends_at_a_round_number() {
        for (highest, end) in [(0.0, 1.0), (0.4, 1.0), (3.0, 5.0), (100.0, 100.0), (101.0, 200.0)] {
            let axis = Axis::over([highest], Scale::Linear);
            assert!((axis.high - end).abs() < 1e-6, "{highest}: {axis:?}");
        }
        let axis = Axis::over([40.0], Scale::Linear);
        assert!((axis.place(25.0) - 0.5).abs() < 1e-9);
        assert_eq!(
            axis.marks().into_iter().map(|mark| mark.1).collect::<Vec<_>>(),
            ["0", "25", "50"]
        );
    }

    #[test]
    fn equal_factors_are_equally_far_apart_on_a_logarithmic_axis() {
        let axis = Axis::over([3.0, 700.0], Scale::Log);
        let marks: Vec<String> = axis.marks().into_iter().map(|mark| mark.1).collect();
        assert_eq!(marks, ["1", "10", "100", "1000"]);
        let step = axis.place(100.0) - axis.place(10.0);
        assert!((step - (axis.place(10.0) - axis.place(1.0))).abs() < 1e-9);
        assert!(axis.place(0.0).abs() < 1e-9, "zero has no logarithm and is at the bottom");
    }

    #[test]
    fn an_axis_without_values_has_a_range_all_the_same() {
        for scale in [Scale::Linear, Scale::Log] {
            let axis = Axis::over([], scale);
            assert!(axis.high > axis.low, "{axis:?}");
            assert!(Axis::over([f64::NAN, f64::INFINITY], scale).high.is_finite());
        }
    }
}
