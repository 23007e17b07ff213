package dev.mullion.framing.tcp;

import static java.lang.System.Logger.Level.DEBUG;
import static java.lang.System.Logger.Level.WARNING;
import static java.util.Objects.requireNonNull;

import dev.mullion.framing.FramingException;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.EventLoopGroup;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * Handles connections in blocking code, each on a thread of an executor. A connection that waits
 * for a thread is counted; it is closed if none becomes free within {@code handlerThreadTimeout}. A
 * connection that ends earlier stops waiting.
 */
final class BlockingHandling implements Handling {
  /** Checks per timeout; a timeout may be noticed late by one interval. */
  private static final int LOOKS = 8;

  private static final long LONGEST_INTERVAL = TimeUnit.SECONDS.toNanos(1);

  private final ConnectionHandler handler;
  private final Executor executor;
  private final @Nullable ExecutorService own;
  private final long timeoutNanos;
  private final int maxWaiting;
  private final Set<Start> waiting = ConcurrentHashMap.newKeySet();

  /** The number of tasks in the executor, including those of connections that stopped waiting. */
  private final AtomicInteger tasks = new AtomicInteger();

  /**
   * @param given the executor, or null for one of its own, which then ends with the server
   * @param maxWaiting how many connections may wait, including closed ones whose tasks the executor
   *     cannot remove
   */
  BlockingHandling(
      ConnectionHandler handler,
      @Nullable Executor given,
      int maxHandlerThreads,
      long timeoutNanos,
      int maxWaiting) {
    this.handler = handler;
    own = given == null ? HandlerThreads.create(maxHandlerThreads) : null;
    executor = given == null ? requireNonNull(own, "own") : given;
    this.timeoutNanos = timeoutNanos;
    this.maxWaiting = maxWaiting;
  }

  @Override
  public void addTo(
      ChannelPipeline pipeline, ConnectionSettings settings, LoopWatch watch, boolean secure) {
    pipeline.addLast(new QueueLink(settings, watch, secure, this::opened));
  }

  @Override
  public void begin(EventLoopGroup loops) {
    if (timeoutNanos == 0) {
      return;
    }
    long interval = Math.max(1, Math.min(LONGEST_INTERVAL, timeoutNanos / LOOKS));
    loops.next().scheduleWithFixedDelay(this::look, interval, interval, TimeUnit.NANOSECONDS);
  }

  /** On the connection's event loop. */
  private void opened(FramedConnection connection) {
    Link link = connection.link();
    Start start = new Start(connection);
    waiting.add(start);
    link.totals().connectionsWaiting.incrementAndGet();
    if (tasks.incrementAndGet() > maxWaiting) {
      tasks.decrementAndGet();
      start.giveUp("no handler thread is free and " + maxWaiting
          + " connections are waiting (maxConnections");
      return;
    }
    boolean accepted = false;
    try {
      executor.execute(start);
      accepted = true;
    } finally {
      if (!accepted) {
        tasks.decrementAndGet();
        // The exception ends the connection.
        start.leave();
      }
    }
    connection.closed().whenComplete((done, error) -> start.connectionEnded());
  }

  private void look() {
    long now = System.nanoTime();
    for (Start start : waiting) {
      if (now - start.since >= timeoutNanos) {
        start.giveUp("no handler thread was free in " + TimeUnit.NANOSECONDS.toMillis(timeoutNanos)
            + " ms (handlerThreadTimeout");
      }
    }
  }

  @Override
  public void close() {
    if (own != null) {
      own.shutdownNow();
    }
    for (Start start : waiting) {
      start.giveUp("server was stopped before a handler thread was free (maxHandlerThreads");
    }
  }

  /** A connection from when it opens until its handler ends. */
  private final class Start implements Runnable {
    /** The waiting connection; a task left in an executor's queue then holds none. */
    private final AtomicReference<@Nullable FramedConnection> waits;

    private final long since = System.nanoTime();

    Start(FramedConnection connection) {
      waits = new AtomicReference<>(connection);
    }

    /** Stops waiting. Returns the connection if it was still waiting. */
    @Nullable
    FramedConnection leave() {
      FramedConnection connection = waits.getAndSet(null);
      if (connection != null) {
        left(connection.link());
      }
      return connection;
    }

    private void left(Link link) {
      waiting.remove(this);
      link.totals().connectionsWaiting.decrementAndGet();
    }

    /**
     * Stops waiting without being served. Returns the connection if it was still waiting. It is
     * counted as not served before it stops being counted as waiting: it is in one count at least.
     */
    private @Nullable FramedConnection leaveNotServed() {
      FramedConnection connection = waits.getAndSet(null);
      if (connection != null) {
        try {
          notServed(connection.link());
        } finally {
          left(connection.link());
        }
      }
      return connection;
    }

    /**
     * Called when the connection is closed, for instance by its peer; if still waiting, it is not
     * handled.
     */
    void connectionEnded() {
      leaveNotServed();
    }

    private void notServed(Link link) {
      if (executor instanceof ThreadPoolExecutor pool && pool.remove(this)) {
        tasks.decrementAndGet();
      }
      link.totals().connectionsNotServed.increment();
      link.totals().bytesNotHandled.add(link.bytesNotTaken());
    }

    void giveUp(String why) {
      FramedConnection connection = leaveNotServed();
      if (connection == null) {
        return;
      }
      Link link = connection.link();
      String text = why + ", peer " + link.peer() + ")";
      link.settings.log().log(Event.NO_THREAD, WARNING, link.peer(), () -> text);
      link.ending.abort(new IOException(text));
    }

    @Override
    public void run() {
      tasks.decrementAndGet();
      FramedConnection connection = leave();
      if (connection == null) {
        return;
      }
      Link link = connection.link();
      try {
        handler.handle(connection);
        link.ending.finish();
      } catch (Throwable e) {
        failed(connection, e);
      } finally {
        link.totals().bytesNotHandled.add(link.bytesNotTaken());
      }
    }

    private boolean isOfTheEnd(@Nullable Throwable error) {
      return error instanceof IOException || error instanceof InterruptedException;
    }

    private void failed(FramedConnection connection, Throwable e) {
      Link link = connection.link();
      if (e instanceof InterruptedException) {
        Thread.currentThread().interrupt();
      }
      // The iterator wraps the exceptions it throws.
      Throwable error = e instanceof UncheckedIOException wrapped ? wrapped.getCause() : e;
      boolean ofConnection =
          error instanceof FramingException || (isOfTheEnd(error) && connection.isClosed());
      if (ofConnection) {
        link.settings
            .log()
            .log(
                Event.HANDLER_ENDED,
                DEBUG,
                link.peer(),
                () -> "handler ended because its connection ended (peer " + link.peer() + ")",
                e);
        link.ending.finish();
      } else {
        link.handlerFailed(e);
      }
    }
  }
}
