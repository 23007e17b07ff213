package dev.mullion.framing.tcp;

import dev.mullion.framing.FrameCounters;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tags;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/** The meters of one server or client. Separate because Micrometer may be absent. */
final class Meters {
  private static final String OPEN = "connectionsOpen";
  private static final Set<String> GAUGES = Set.of(OPEN, "connectionsWaiting");

  private final MeterRegistry registry;
  private final Tags tags;
  private final List<Meter> meters = new ArrayList<>();

  Meters(MeterRegistry registry, String side, String address, String... more) {
    this.registry = registry;
    tags = Tags.of("side", side, "address", address).and(more);
    // Otherwise Micrometer would silently return the other one's meters.
    if (registry.find(name("mullion.tcp.", OPEN)).tags(tags).meter() != null) {
      throw new IllegalStateException("metrics of " + side + " " + address
          + " are already bound (expected: distinguishing tags)");
    }
  }

  void add(TcpCounters counters) {
    for (String counter : counters.asMap().keySet()) {
      LongSupplier value = () -> counters.asMap().get(counter);
      if (GAUGES.contains(counter)) {
        gauge(name("mullion.tcp.", counter), value, null);
      } else {
        count(name("mullion.tcp.", counter), value);
      }
    }
    FrameCounters frames = counters.frames();
    Map<String, LongSupplier> all = Map.of(
        "decoded", frames::framesDecoded,
        "bytesDecoded", frames::bytesDecoded,
        "encoded", frames::framesEncoded,
        "bytesEncoded", frames::bytesEncoded,
        "tooLarge", frames::framesTooLarge,
        "corrupt", frames::framesCorrupt,
        "truncated", frames::framesTruncated,
        "refused", frames::framesRefused,
        "bytesDiscarded", frames::bytesDiscarded);
    all.forEach((counter, value) -> count(name("mullion.frames.", counter), value));
  }

  void addMemory(LongSupplier used) {
    gauge("mullion.tcp.memory.used", used, "bytes");
  }

  /** Converts {@code connectionsOpened} to {@code mullion.tcp.connections.opened}. */
  private static String name(String prefix, String counter) {
    return prefix + counter.replaceAll("([A-Z])", ".$1").toLowerCase(Locale.ROOT);
  }

  // A registry refers to the measured object weakly, but to the function strongly.

  private void count(String name, LongSupplier value) {
    meters.add(FunctionCounter.builder(name, value, any -> value.getAsLong())
        .tags(tags)
        .register(registry));
  }

  private void gauge(String name, LongSupplier value, @Nullable String unit) {
    meters.add(Gauge.builder(name, value::getAsLong)
        .tags(tags)
        .baseUnit(unit)
        .strongReference(true)
        .register(registry));
  }

  void remove() {
    meters.forEach(registry::remove);
  }
}
