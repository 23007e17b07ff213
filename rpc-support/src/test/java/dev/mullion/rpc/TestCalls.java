package dev.mullion.rpc;

import io.grpc.Status;
import java.util.Set;
import java.util.concurrent.Executors;

/** Calls without a transport. */
final class TestCalls {
  private TestCalls() {}

  /** Returns a registry whose callbacks run on the spot. */
  static CallRegistry registry(int maxCalls, String... uncountedServices) {
    return new CallRegistry(
        maxCalls,
        Set.of(uncountedServices),
        new RpcCounters(),
        new Callbacks(Runnable::run, Executors.newSingleThreadScheduledExecutor()));
  }

  static OpenCall begin(CallRegistry registry, String method) {
    return registry.begin(method, null, TestCalls::notOnTheWire);
  }

  private static void notOnTheWire(Status status) {}
}
