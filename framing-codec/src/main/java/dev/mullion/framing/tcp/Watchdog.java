package dev.mullion.framing.tcp;

import static java.lang.System.Logger.Level.WARNING;

import dev.mullion.net.base.DaemonThreads;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Reports a handler that holds its event loop too long, while it does. Of a burst only the first is
 * logged; all are counted.
 */
final class Watchdog implements AutoCloseable {
  /** A burst is over when no handler was slow for this many times the limit. */
  private static final int QUIET_LIMITS = 20;

  /** The last observation of one loop. */
  private static final class Seen {
    private final LoopWatch loop;
    private long entry;
    private long since;
    private boolean reported;
    private long lastSlow;
    private boolean inBurst;

    Seen(LoopWatch loop) {
      this.loop = loop;
    }
  }

  private final long limitNanos;
  private final ConnectionSettings settings;
  private final List<Seen> loops = new ArrayList<>();
  private final ScheduledExecutorService thread;

  Watchdog(Iterable<LoopWatch> loops, long limitNanos, ConnectionSettings settings) {
    this.limitNanos = limitNanos;
    this.settings = settings;
    loops.forEach(loop -> this.loops.add(new Seen(loop)));
    thread = Executors.newSingleThreadScheduledExecutor(DaemonThreads.named("mullion-watchdog"));
    long interval = Math.max(1, limitNanos / 4);
    thread.scheduleAtFixedRate(this::look, interval, interval, TimeUnit.NANOSECONDS);
  }

  private void look() {
    long now = System.nanoTime();
    for (Seen seen : loops) {
      look(seen, now);
    }
  }

  private void look(Seen seen, long now) {
    long entry = seen.loop.entries();
    LoopWatch.Watched link = seen.loop.inside();
    if (link == null || entry != seen.entry) {
      seen.entry = entry;
      seen.since = now;
      seen.reported = false;
      if (seen.inBurst && now - seen.lastSlow > QUIET_LIMITS * limitNanos) {
        seen.inBurst = false;
      }
    } else if (now - seen.since >= limitNanos) {
      slow(seen, link, now);
    }
  }

  private void slow(Seen seen, LoopWatch.Watched link, long now) {
    seen.lastSlow = now;
    if (seen.reported) {
      return;
    }
    seen.reported = true;
    if (!seen.inBurst) {
      seen.inBurst = true;
      link.log(
          Event.HANDLER_SLOW,
          WARNING,
          "handler holds the event loop for more than "
              + TimeUnit.NANOSECONDS.toMillis(limitNanos)
              + " ms (slowHandlerLimit, peer " + link.peer() + ")"
              + stack(link.thread()),
          null);
    }
    // Last: when the count is seen, the log is complete.
    settings.totals().handlersSlow.increment();
  }

  static String stack(@Nullable Thread thread) {
    if (thread == null) {
      return "";
    }
    StringBuilder text = new StringBuilder();
    for (StackTraceElement frame : thread.getStackTrace()) {
      text.append(System.lineSeparator()).append("\tat ").append(frame);
      if (frame.getClassName().equals(LinkContext.class.getName())) {
        break;
      }
    }
    return text.toString();
  }

  @Override
  public void close() {
    thread.shutdownNow();
  }
}
