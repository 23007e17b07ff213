package dev.mullion.messaging.tck;

import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.engine.ConsumerSettings;
import dev.mullion.messaging.engine.EngineLink;
import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.RawDelivery;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.engine.Settlement;
import dev.mullion.messaging.engine.Sink;
import dev.mullion.messaging.engine.Source;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * A source with faults. It holds deliveries that are late, gives duplicates against credit of their
 * own, and opens another source of the engine after a cut.
 */
final class FaultySource implements Source {
  private static final long OVERTAKEN_AFTER_NANOS = 3_000_000;

  private final FaultyEngine engine;
  private final FaultyLink link;
  private final EngineLink inner;
  private final Route route;
  private final ConsumerSettings settings;
  private final Sink sink;

  // Guarded by this; nothing else is called under it.
  private final Deque<Held> held = new ArrayDeque<>(); // in the order in which they go out
  private final Deque<RawDelivery> duplicates = new ArrayDeque<>();
  private @Nullable Source source;
  private int generation;
  private int credit; // given by the user of this source, and not used up
  private int unsettled;
  private long lastDue;
  private boolean draining;
  private boolean cancelled;

  /** A delivery that goes out when it is due. */
  private record Held(RawDelivery delivery, int generation, long due) {}

  FaultySource(
      FaultyEngine engine,
      FaultyLink link,
      EngineLink inner,
      Route route,
      ConsumerSettings settings,
      Sink sink) {
    this.engine = engine;
    this.link = link;
    this.inner = inner;
    this.route = route;
    this.settings = settings;
    this.sink = sink;
  }

  /** Opens the engine's source, at first and after a cut, with the credit that is open. */
  void restore() throws MessagingException {
    int now;
    synchronized (this) {
      if (cancelled || source != null) {
        return;
      }
      now = generation;
    }
    Source opened = inner.consume(route, settings, new Inside(now));
    opened.ready().toCompletableFuture().orTimeout(30, TimeUnit.SECONDS).join();
    int open;
    boolean late;
    synchronized (this) {
      late = cancelled || now != generation;
      if (!late) {
        source = opened;
      }
      open = credit;
    }
    if (late) {
      opened.close();
    } else if (open > 0) {
      opened.request(open);
    }
  }

  /** Closes the engine's source: what is held or not settled is given back by the engine. */
  void cut() {
    Source closing;
    synchronized (this) {
      closing = forget();
    }
    if (closing != null) {
      closing.close();
    }
  }

  /** Forgets the engine's source and its deliveries; called under the lock. */
  private @Nullable Source forget() {
    Source closing = source;
    source = null;
    generation++;
    held.clear();
    unsettled = 0;
    return closing;
  }

  @Override
  public void request(int deliveries) {
    List<RawDelivery> again = new ArrayList<>();
    Source asked;
    Source closing = null;
    int rest = deliveries;
    synchronized (this) {
      credit += deliveries;
      asked = source;
      if (isIdle() && route instanceof Route.Queue && engine.cutsIdle()) {
        closing = forget();
      }
      while (rest > 0 && !duplicates.isEmpty() && !cancelled) {
        again.add(duplicates.removeFirst());
        credit--;
        rest--;
      }
    }
    if (closing != null) {
      reconnect(closing);
      return;
    }
    again.forEach(sink::deliver);
    if (asked != null && rest > 0) {
      asked.request(rest);
    }
  }

  private boolean isIdle() {
    return source != null && !cancelled && unsettled == 0 && held.isEmpty() && duplicates.isEmpty();
  }

  private void reconnect(Source closing) {
    try {
      closing.close();
      restore();
    } catch (MessagingException e) {
      sink.failed(e);
    }
  }

  @Override
  public CompletionStage<Void> ready() {
    return CompletableFuture.completedFuture(null); // restore() has waited for it
  }

  @Override
  public Buffer buffer() {
    Source asked;
    synchronized (this) {
      asked = source;
    }
    return asked == null ? Buffer.EMPTY : asked.buffer();
  }

  @Override
  public void cancel() {
    List<Held> giveBack;
    Source cancelling;
    synchronized (this) {
      cancelled = true;
      duplicates.clear();
      giveBack = List.copyOf(held);
      held.clear();
      cancelling = source;
    }
    if (cancelling != null) {
      cancelling.cancel();
    }
    giveBack.forEach(each -> each.delivery.settle(new Outcome.GiveBack(false)));
  }

  @Override
  public void close() {
    link.closed(this);
    cancel();
    Source closing;
    synchronized (this) {
      closing = source;
      source = null;
    }
    if (closing != null) {
      closing.close();
    }
  }

  /** Receives from the engine's source. */
  private final class Inside implements Sink {
    private final int mine;

    Inside(int generation) {
      this.mine = generation;
    }

    @Override
    public void deliver(RawDelivery delivery) {
      long due = System.nanoTime() + engine.delayNanos();
      boolean dropped;
      synchronized (FaultySource.this) {
        dropped = cancelled || mine != generation;
        if (!dropped) {
          hold(new Held(delivery, mine, due));
        }
      }
      if (dropped) {
        delivery.settle(new Outcome.GiveBack(false));
      } else {
        drain();
      }
    }

    @Override
    public boolean isBusy() {
      synchronized (FaultySource.this) {
        if (!held.isEmpty() || draining) {
          return true;
        }
      }
      return sink.isBusy();
    }

    @Override
    public void dropped(long messages) {
      sink.dropped(messages);
    }

    @Override
    public void failed(MessagingException cause) {
      sink.failed(cause);
    }
  }

  /** Queues a delivery behind the others, or lets it be overtaken; called under the lock. */
  private void hold(Held next) {
    if (engine.reorders()) {
      held.addLast(new Held(next.delivery, next.generation, next.due + OVERTAKEN_AFTER_NANOS));
      return;
    }
    lastDue = Math.max(lastDue, next.due);
    Held inOrder = new Held(next.delivery, next.generation, lastDue);
    Held last = held.peekLast();
    if (last != null && last.due > lastDue) {
      held.removeLast(); // overtaken by this one
      held.addLast(inOrder);
      held.addLast(last);
    } else {
      held.addLast(inOrder);
    }
  }

  private void drain() {
    while (true) {
      Held next;
      synchronized (this) {
        next = draining ? null : held.peekFirst();
        if (next == null) {
          return;
        }
        long wait = next.due - System.nanoTime();
        if (wait > 0) {
          FaultyLink.LATER.schedule(this::drain, wait, TimeUnit.NANOSECONDS);
          return;
        }
        held.removeFirst();
        draining = true;
        credit--;
        unsettled++;
        if (engine.duplicates()) {
          duplicates.addLast(ForwardingDelivery.duplicate(next.delivery));
        }
      }
      try {
        sink.deliver(wrapped(next));
      } finally {
        synchronized (this) {
          draining = false;
        }
      }
    }
  }

  private RawDelivery wrapped(Held next) {
    AtomicBoolean settled = new AtomicBoolean();
    return ForwardingDelivery.settling(next.delivery, (raw, outcome) -> {
      boolean cut;
      synchronized (this) {
        cut = next.generation != generation;
        if (!cut && settled.compareAndSet(false, true)) {
          unsettled--;
        }
      }
      return cut ? CompletableFuture.completedFuture(Settlement.UNKNOWN) : raw.settle(outcome);
    });
  }
}
