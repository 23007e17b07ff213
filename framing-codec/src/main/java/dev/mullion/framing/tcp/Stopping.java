package dev.mullion.framing.tcp;

import static java.lang.System.Logger.Level.DEBUG;
import static java.lang.System.Logger.Level.WARNING;

import dev.mullion.net.StopReport;
import dev.mullion.net.base.BoundedLog;
import dev.mullion.net.base.UnixSocketFile;
import io.netty.channel.Channel;
import io.netty.channel.EventLoopGroup;
import io.netty.util.concurrent.EventExecutor;
import java.io.IOException;
import java.time.Duration;
import java.util.Collection;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * How a server stops. Each step runs even if another step has thrown. Each wait is bounded, even if
 * a callback holds an event loop.
 *
 * <pre>{@code
 *  0            timeout                       timeout + 2 s
 *  |-- drain ---|-- cut --- end the loops ---|
 * }</pre>
 */
final class Stopping {
  /** The maximum time of a stop beyond its timeout. */
  static final Duration GRACE = Duration.ofSeconds(2);

  /** An event loop that cannot run a trivial task within this time is stuck. */
  private static final long STUCK_NANOS = 500_000_000;

  /** The parts to stop. */
  record Parts(
      Channel listening,
      @Nullable UnixSocketFile file,
      EventLoopGroup group,
      OpenConnections connections,
      Collection<LoopWatch> watches,
      @Nullable Watchdog watchdog,
      Handling handling,
      @Nullable TlsContext tls,
      TcpCounters totals,
      BoundedLog<Event> log) {}

  /** The totals of the connections before they were cut. */
  private static final class Left {
    private int connections;
    private long toSend;
    private long toHandle;
  }

  @FunctionalInterface
  private interface Step {
    void run() throws Exception;
  }

  private final Parts parts;
  private final AtomicBoolean begun = new AtomicBoolean();

  /** Opened when every connection has ended, or when nobody waits for that any more. */
  private final CountDownLatch drained = new CountDownLatch(1);

  private final CountDownLatch done = new CountDownLatch(1);

  Stopping(Parts parts) {
    this.parts = parts;
  }

  /** Stops, or joins a stop in progress. Returns what was cut, or null if another call does it. */
  @Nullable
  StopReport stop(long timeout) {
    if (begun.compareAndSet(false, true)) {
      return first(timeout);
    }
    boolean interrupted = false;
    try {
      done.await(timeout, TimeUnit.NANOSECONDS);
    } catch (InterruptedException e) {
      interrupted = true;
    }
    // If it is still running, this caller's time is over.
    drained.countDown();
    if (awaitUninterruptibly(done, GRACE.toNanos()) || interrupted) {
      Thread.currentThread().interrupt();
    }
    return null;
  }

  private StopReport first(long timeout) {
    long start = System.nanoTime();
    Left left = new Left();
    int[] open = {parts.connections.size()};
    boolean[] interrupted = {false};
    try {
      step("drain", () -> {
        try {
          open[0] = drain(timeout);
        } catch (InterruptedException e) {
          interrupted[0] = true;
        }
      });
      long end = System.nanoTime() + GRACE.toNanos();
      step("cut", () -> cut(left));
      step("close", () -> interrupted[0] |= close(Math.min(STUCK_NANOS, end - System.nanoTime())));
      step("end handlers", parts.handling::close);
      step("end the watchdog", () -> {
        if (parts.watchdog != null) {
          parts.watchdog.close();
        }
      });
      step("end the checks of TLS files", () -> {
        if (parts.tls != null) {
          parts.tls.close();
        }
      });
      step("end the event loops", () -> interrupted[0] |= endLoops(end));
    } finally {
      done.countDown();
      if (interrupted[0]) {
        Thread.currentThread().interrupt();
      }
    }
    return new StopReport(
        Duration.ofNanos(System.nanoTime() - start),
        Math.max(0, open[0] - left.connections),
        left.connections,
        left.toSend,
        left.toHandle);
  }

  private void step(String name, Step step) {
    try {
      step.run();
    } catch (Throwable e) {
      String text = "stop: could not " + name + ", continuing with the next step";
      parts.log.log(Event.STOP, WARNING, null, () -> text, e);
    }
  }

  /** Lets each connection drain within the given time. Returns how many there were. */
  private int drain(long nanos) throws InterruptedException {
    long start = System.nanoTime();
    step("remove the socket's file", this::removeFile);
    CountDownLatch closed = new CountDownLatch(1);
    parts.listening.close().addListener(done -> closed.countDown());
    // If this loop is stuck, it accepts nothing either; later it rejects what it accepts.
    closed.await(STUCK_NANOS, TimeUnit.NANOSECONDS);
    int open = parts.connections.size();
    CountDownLatch begun = beginDraining(left(start, nanos) / 2);
    // Even without time: a connection that was accepted but not set up would stay open.
    begun.await(Math.max(STUCK_NANOS, left(start, nanos)), TimeUnit.NANOSECONDS);
    open = Math.max(open, parts.connections.size());
    parts.connections.allClosed().thenRun(drained::countDown);
    drained.await(left(start, nanos), TimeUnit.NANOSECONDS);
    return open;
  }

  /** On each loop, after the tasks that set up the last accepted connections. */
  private CountDownLatch beginDraining(long half) {
    CountDownLatch begun = new CountDownLatch(parts.watches.size());
    for (EventExecutor loop : parts.group) {
      step(
          "drain",
          () -> loop.execute(() -> {
            try {
              for (Channel connection : parts.connections.copy()) {
                if (connection.eventLoop() == loop) {
                  step("drain a connection", () -> drain(connection, half));
                }
              }
            } finally {
              begun.countDown();
            }
          }));
    }
    return begun;
  }

  private static void drain(Channel connection, long half) {
    Link link = connection.pipeline().get(Link.class);
    if (link != null) {
      link.drain(half);
    }
  }

  private static long left(long start, long nanos) {
    return Math.max(0, nanos - (System.nanoTime() - start));
  }

  /** First of all, since a successor may bind the same path as early as possible. */
  private void removeFile() throws IOException {
    if (parts.file != null && parts.file.remove()) {
      LinkContext.LOG.log(DEBUG, "removed the socket {0}", parts.file);
    }
  }

  /** Cuts the remaining connections. */
  private void cut(Left left) {
    for (Channel connection : parts.connections.copy()) {
      left.connections++;
      step("cut a connection", () -> cut(connection, left));
    }
    parts.totals.connectionsCut.add(left.connections);
  }

  private static void cut(Channel connection, Left left) {
    Link link = connection.pipeline().get(Link.class);
    if (link != null && link.isOpened()) {
      left.toSend += link.held();
      left.toHandle += link.bytesNotTaken();
      link.ending.abort(new IOException("server was stopped (peer " + link.peer() + ")"));
    }
  }

  /** Returns whether the thread was interrupted meanwhile. */
  private boolean close(long nanos) {
    CountDownLatch closed = new CountDownLatch(1);
    parts.connections.close();
    parts.connections.allClosed().thenRun(closed::countDown);
    return awaitUninterruptibly(closed, nanos);
  }

  private boolean endLoops(long end) {
    CountDownLatch ended = new CountDownLatch(1);
    long most = Math.max(0, end - System.nanoTime());
    parts
        .group
        .shutdownGracefully(0, Math.min(most, 1_000_000_000), TimeUnit.NANOSECONDS)
        .addListener(done -> ended.countDown());
    boolean interrupted = awaitUninterruptibly(ended, most);
    if (ended.getCount() > 0) {
      parts.watches.forEach(this::reportHeld);
    }
    return interrupted;
  }

  /** Logs the callback that holds a loop; its connections close when it returns. */
  private void reportHeld(LoopWatch watch) {
    LoopWatch.Watched link = watch.inside();
    if (link != null) {
      String text = "stop: a callback still holds its event loop (peer " + link.peer() + ")"
          + Watchdog.stack(link.thread());
      parts.log.log(Event.STOP, WARNING, link.peer(), () -> text);
    }
  }

  /** Waits up to the given time. Returns whether the thread was interrupted meanwhile. */
  private static boolean awaitUninterruptibly(CountDownLatch latch, long nanos) {
    long start = System.nanoTime();
    boolean interrupted = false;
    while (true) {
      try {
        latch.await(left(start, nanos), TimeUnit.NANOSECONDS);
        return interrupted;
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
  }
}
