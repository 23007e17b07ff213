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
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * Handles connections in blocking code, each on a thread of an executor. A connection that waits for a
 * thread is counted, and closed when none was free for {@code handlerThreadTimeout}.
 */
final class BlockingHandling implements Handling {
  /** How many looks fit into the timeout, and so how late it may be noticed. */
  private static final int LOOKS = 8;

  private static final long LONGEST_INTERVAL = TimeUnit.SECONDS.toNanos(1);

  private final ConnectionHandler handler;
  private final Executor executor;
  private final @Nullable ExecutorService own;
  private final long timeoutNanos;
  private final int maxWaiting;
  private final Set<Start> waiting = ConcurrentHashMap.newKeySet();

  /**
   * @param given the executor, or null for one of its own, which then ends with the server
   * @param maxWaiting how many connections may wait, also those that were closed meanwhile
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
    long interval = Math.max(1, Math.min(LONGEST_INTERVAL, timeoutNanos / LOOKS));
    loops.next().scheduleWithFixedDelay(this::look, interval, interval, TimeUnit.NANOSECONDS);
  }

  /** On the connection's event loop. */
  private void opened(FramedConnection connection) {
    Link link = connection.link();
    Start start = new Start(connection);
    waiting.add(start);
    if (link.totals.connectionsWaiting.incrementAndGet() > maxWaiting) {
      start.giveUp("no handler thread is free and " + maxWaiting
          + " connections wait for one (maxConnections");
      return;
    }
    boolean accepted = false;
    try {
      executor.execute(start);
      accepted = true;
    } finally {
      if (!accepted) {
        // What was thrown ends the connection.
        start.leave();
      }
    }
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

  /** A connection from its first moment to the end of its handler. */
  private final class Start implements Runnable {
    private final FramedConnection connection;
    private final Link link;
    private final long since = System.nanoTime();
    private final AtomicBoolean left = new AtomicBoolean();

    Start(FramedConnection connection) {
      this.connection = connection;
      link = connection.link();
    }

    /** Waits no more. Returns whether it has until now. */
    boolean leave() {
      if (!left.compareAndSet(false, true)) {
        return false;
      }
      waiting.remove(this);
      link.totals.connectionsWaiting.decrementAndGet();
      return true;
    }

    void giveUp(String why) {
      if (!leave()) {
        return;
      }
      if (executor instanceof ThreadPoolExecutor pool) {
        pool.remove(this);
      }
      String text = why + ", peer " + link.peer() + ")";
      link.totals.connectionsNotServed.increment();
      link.totals.bytesNotHandled.add(link.bytesNotTaken());
      link.settings.log().log(Event.NO_THREAD, WARNING, link.peer(), () -> text);
      link.ending.abort(new IOException(text));
    }

    @Override
    public void run() {
      if (!leave()) {
        return;
      }
      try {
        handler.handle(connection);
        link.ending.finish();
      } catch (Throwable e) {
        failed(e);
      } finally {
        link.totals.bytesNotHandled.add(link.bytesNotTaken());
      }
    }

    private boolean isOfTheEnd(@Nullable Throwable error) {
      return error instanceof IOException || error instanceof InterruptedException;
    }

    private void failed(Throwable e) {
      if (e instanceof InterruptedException) {
        Thread.currentThread().interrupt();
      }
      // The iterator wraps what it throws.
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
                () -> "handler ended with its connection (peer " + link.peer() + ")",
                e);
        link.ending.finish();
      } else {
        link.handlerFailed(e);
      }
    }
  }
}
