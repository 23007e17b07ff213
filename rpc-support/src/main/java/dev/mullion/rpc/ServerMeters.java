package dev.mullion.rpc;

import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.MeterRegistry;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.LongSupplier;
import java.util.function.Supplier;

/** A server's calls and counters as Micrometer meters. */
final class ServerMeters implements RpcObserver.OfServer {
  private final MeterRegistry registry;
  private final MethodMeters calls;
  private final Set<String> methods;
  private final List<Meter> ofServer = new ArrayList<>();
  private LongAdder failures = new LongAdder();

  /** Creates meters for the given methods only, since clients may call any name. */
  ServerMeters(MeterRegistry registry, Set<String> methods) {
    this.registry = registry;
    this.calls = new MethodMeters(registry, "server");
    this.methods = methods;
  }

  @Override
  public void message(String method, boolean received, long bytes) {
    calls.message(known(method), received, bytes);
  }

  @Override
  public void ended(CallRecord call) {
    calls.ended(known(call.method()), call.status().getCode(), call.duration());
  }

  private String known(String method) {
    return methods.contains(method) ? method : "unknown";
  }

  @Override
  public void started(
      SocketAddress listening, RpcCounters counters, int maxConnections, int maxCalls) {
    failures = counters.observersFailed;
    String address = text(listening);
    for (String counter : counters.asMap().keySet()) {
      String name = name(counter);
      LongSupplier value = () -> counters.asMap().getOrDefault(counter, 0L);
      // A registry holds the measured object weakly, but the function strongly.
      add(() ->
          counter.endsWith("Open") || counter.endsWith("Waiting") || counter.endsWith("Pending")
              ? gauge(name, value, address)
              : FunctionCounter.builder(name, value, any -> value.getAsLong())
                  .tags("address", address)
                  .register(registry));
    }
    add(() -> gauge(name("maxConnections"), () -> maxConnections, address));
    add(() -> gauge(name("maxCalls"), () -> maxCalls, address));
  }

  /** Adds a meter. A failure affects neither other meters nor the start of the server. */
  private void add(Supplier<Meter> made) {
    ObserverFailures.guard(failures, registry, () -> ofServer.add(made.get()));
  }

  private static String text(SocketAddress address) {
    return address instanceof InetSocketAddress inet
        ? inet.getHostString() + ":" + inet.getPort()
        : address.toString();
  }

  /** Turns {@code connectionsOpened} into {@code mullion.rpc.connections.opened}. */
  private static String name(String counter) {
    return "mullion.rpc." + counter.replaceAll("([A-Z])", ".$1").toLowerCase(Locale.ROOT);
  }

  private Gauge gauge(String name, LongSupplier value, String address) {
    return Gauge.builder(name, value::getAsLong)
        .tags("address", address)
        .strongReference(true)
        .register(registry);
  }

  @Override
  public void stopped() {
    for (Meter each : ofServer) {
      ObserverFailures.guard(failures, registry, () -> registry.remove(each));
    }
  }
}
