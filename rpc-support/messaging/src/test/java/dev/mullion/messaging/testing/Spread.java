package dev.mullion.messaging.testing;

import java.util.List;
import java.util.Locale;

/** The middle and the ends of what several rounds have measured, as the tables show them. */
public final class Spread {
  private Spread() {}

  /** Returns the median, of two middle ones their mean; not a number if there is none. */
  public static double median(List<Double> values) {
    int size = values.size();
    return values.stream()
        .sorted()
        .skip((size - 1) / 2)
        .limit(2 - size % 2)
        .mapToDouble(each -> each)
        .average()
        .orElse(Double.NaN);
  }

  /** Returns the median, the least and the greatest, each in a format such as {@code %.1f}. */
  public static String of(List<Double> values, String format) {
    return String.format(
        Locale.ROOT,
        format + " (" + format + " to " + format + ")",
        median(values),
        values.stream().min(Double::compare).orElse(Double.NaN),
        values.stream().max(Double::compare).orElse(Double.NaN));
  }
}
