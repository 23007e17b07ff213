package dev.mullion.rpc;

import static java.util.concurrent.TimeUnit.MILLISECONDS;
import static java.util.concurrent.TimeUnit.NANOSECONDS;
import static java.util.concurrent.TimeUnit.SECONDS;

import dev.mullion.net.StopReport;
import dev.mullion.net.base.ShutdownHook;
import io.grpc.Server;
import io.grpc.Status;
import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;

/**
 * One stop of a server, in steps. Each step runs whatever another one has thrown, and what must not
 * be left undone, such as to close the sockets, is done by two of them. What was thrown is logged.
 *
 * <p>It waits for calls, not for connections. gRPC asks each client for a PING before it closes a
 * connection, so that no call is lost that is on its way, and would give it 10 seconds for that: a
 * client that has no call is given a quarter of the timeout, from {@link #LEAST_FOR_IDLE_PEERS} to
 * {@link #MOST_FOR_IDLE_PEERS}: one that is well says in that time that it sends no more calls.
 */
final class ServerStop {
  private static final System.Logger LOG = System.getLogger(ServerStop.class.getName());
  private static final Status STOPPING = Status.UNAVAILABLE.withDescription("server is stopping");
  private static final long FOR_LAST_STATUSES = SECONDS.toNanos(1);
  private static final long LEAST_FOR_IDLE_PEERS = MILLISECONDS.toNanos(500);

  static final long MOST_FOR_IDLE_PEERS = MILLISECONDS.toNanos(2_000);
  private static final long POLL = MILLISECONDS.toNanos(10);

  /** What is to be stopped, besides gRPC's server. */
  record Parts(
      CallRegistry registry,
      StandardServices standard,
      CallTimeouts timeouts,
      ServerThreads threads,
      Observability.OfServer observed,
      ServerSockets sockets) {}

  private final Server server;
  private final Parts parts;
  private final Consumer<String> beforeStep;
  private final long begin = System.nanoTime();
  private long forIdlePeers;
  private boolean interrupted;
  private boolean drained;
  private long finished;
  private long cut;

  /** Takes what is told of each step before it runs, and may throw in its place. */
  ServerStop(Server server, Parts parts, Consumer<String> beforeStep) {
    this.server = server;
    this.parts = parts;
    this.beforeStep = beforeStep;
  }

  StopReport run(ShutdownHook hook, long delay, long timeout) {
    forIdlePeers = Math.min(MOST_FOR_IDLE_PEERS, Math.max(LEAST_FOR_IDLE_PEERS, timeout / 4));
    CallRegistry registry = parts.registry();
    step("shutdown hook", hook::remove);
    step("health", () -> parts.standard().stopServing());
    step("delay", () -> await(server::isTerminated, Math.min(timeout, delay)));
    long endedBefore = ended();
    step("socket file", parts.sockets()::removeFile);
    step("sockets", server::shutdown);
    step("signal", () -> registry.stop(STOPPING));
    step("drain", () -> drained = await(this::isDrained, timeout - (System.nanoTime() - begin)));
    finished = ended() - endedBefore;
    step("cut", this::cut);
    step("connections", this::closeConnections);
    step("threads", this::stopThreads);
    step("timeouts", parts.timeouts()::close);
    step("observers", parts.observed()::close);
    step("files", parts.sockets()::close);
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
    return new StopReport(Duration.ofNanos(System.nanoTime() - begin), finished, cut, 0, 0);
  }

  private void step(String name, Runnable step) {
    try {
      beforeStep.accept(name);
      step.run();
    } catch (Throwable thrown) {
      LOG.log(
          Level.ERROR,
          "stop of the server: step \"" + name + "\" failed, the rest goes on",
          thrown);
    }
  }

  private long ended() {
    RpcCounters counters = parts.registry().counters;
    return counters.callsSucceeded() + counters.callsFailed();
  }

  private long idleSince = Long.MIN_VALUE;

  /**
   * Returns whether every connection is closed, or no call was open for a while and none comes in.
   */
  private boolean isDrained() {
    if (server.isTerminated()) {
      return true;
    }
    if (parts.registry().hasOpenCalls()) {
      idleSince = Long.MIN_VALUE;
      return false;
    }
    long now = System.nanoTime();
    idleSince = idleSince == Long.MIN_VALUE ? now : idleSince;
    return now - idleSince >= forIdlePeers && parts.registry().shutIfIdle();
  }

  /** Clients are told; only those that do not listen are just cut off. */
  private void cut() {
    CallRegistry registry = parts.registry();
    if (drained || registry.shutIfIdle()) {
      drained = true;
      return;
    }
    cut = registry.endAll(OpenCall.Kind.COUNTED, STOPPING);
    registry.counters.callsCut.add(cut);
    interrupted |= Thread.interrupted();
    await(() -> server.isTerminated() || !registry.hasOpenCalls(), FOR_LAST_STATUSES);
  }

  private void closeConnections() {
    if (!server.isTerminated()) {
      server.shutdownNow();
      interrupted |= Thread.interrupted();
      await(server::isTerminated, FOR_LAST_STATUSES);
    }
  }

  private void stopThreads() {
    if (drained) {
      parts.threads().shutdown();
    } else {
      parts.threads().shutdownNow();
    }
  }

  /**
   * Returns whether the condition holds within a time. An interrupted thread stays so, and waits no
   * more.
   */
  private boolean await(BooleanSupplier condition, long nanos) {
    long start = System.nanoTime();
    try {
      while (!condition.getAsBoolean()) {
        long left = nanos - (System.nanoTime() - start);
        if (left <= 0) {
          return false;
        }
        server.awaitTermination(Math.min(left, POLL), NANOSECONDS);
      }
      return true;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return condition.getAsBoolean();
    }
  }
}
