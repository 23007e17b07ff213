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
 * One stop of a server, in steps. A step runs even if another one has failed, and its exception is
 * logged. Essential work, such as closing the sockets, is done by two steps.
 *
 * <p>The stop waits for calls, not for connections. Before gRPC closes a connection, it pings the
 * client, so that no call in flight is lost, and would wait 10 seconds for the answer. Here a
 * client without calls has a quarter of the timeout, from {@link #LEAST_FOR_IDLE_PEERS} to {@link
 * #MOST_FOR_IDLE_PEERS}. A healthy client answers in that time.
 */
final class ServerStop {
  private static final System.Logger LOG = System.getLogger(ServerStop.class.getName());
  private static final Status STOPPING = Status.UNAVAILABLE.withDescription("server is stopping");
  private static final long FOR_LAST_STATUSES = SECONDS.toNanos(1);
  private static final long FOR_SOCKETS = MILLISECONDS.toNanos(500);
  private static final long LEAST_FOR_IDLE_PEERS = MILLISECONDS.toNanos(500);

  static final long MOST_FOR_IDLE_PEERS = MILLISECONDS.toNanos(2_000);
  private static final long POLL = MILLISECONDS.toNanos(10);

  /** The parts to stop besides gRPC's server. */
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

  /** Takes a listener that is called before each step, and may throw to make the step fail. */
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
          "server stop: step \"" + name + "\" failed, continuing with the next",
          thrown);
    }
  }

  private long ended() {
    RpcCounters counters = parts.registry().counters;
    return counters.callsSucceeded() + counters.callsFailed();
  }

  private long idleSince = Long.MIN_VALUE;

  /**
   * Returns whether every connection is closed, or no call has been open for a while and new ones
   * are rejected.
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

  /** Ends the open calls with a status, and waits until clients have received it. */
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
      parts.sockets().closeAfter(FOR_LAST_STATUSES);
      interrupted |= Thread.interrupted();
      await(server::isTerminated, FOR_LAST_STATUSES + FOR_SOCKETS);
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
   * Returns whether the condition holds within a time. An interrupted thread stays interrupted, and
   * does not wait.
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
