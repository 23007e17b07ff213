package dev.mullion.messaging;

import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.RawDelivery;
import dev.mullion.messaging.engine.Settlement;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletionStage;

/** One delivery of a job, from when a worker gets it to its end, which is reached once. */
abstract class HeldJob extends Parcel implements RawDelivery {
  // 0 until it is handed out
  static final int HANDED_OUT = 1;
  static final int BEGUN = 2; // with a store
  private static final int SETTLED = 3;
  private static final int TAKEN_BACK = 4;
  private static final VarHandle STATE;

  static {
    try {
      STATE = MethodHandles.lookup().findVarHandle(HeldJob.class, "state", int.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  /** Used without a store; another thread that takes the job back may see it a moment later. */
  private boolean begun;

  @SuppressWarnings("unused") // by STATE
  private volatile int state;

  /** What a delivery was when it ended. */
  enum End {
    /** It had ended before. */
    BEFORE,
    /** Its handler had not begun. */
    NOT_BEGUN,
    /** Its handler had begun. */
    BEGUN
  }

  abstract JobQueue queue();

  /** Returns the job as one that can wait again, or be buried. */
  abstract QueuedJob queued();

  /** Returns whether others of its key wait until it is settled. */
  boolean holdsKey() {
    return false;
  }

  /** Takes notice that this delivery has ended. */
  void released() {}

  /** Belongs to a worker from here on; under the queue's lock. */
  final void handOut() {
    STATE.set(this, HANDED_OUT); // the source publishes it
  }

  /** Ends this delivery, unless it has ended already. */
  final End end(boolean takenBack) {
    int now = state;
    while (now == HANDED_OUT || now == BEGUN) {
      if (STATE.compareAndSet(this, now, takenBack ? TAKEN_BACK : SETTLED)) {
        released();
        return now == BEGUN || begun ? End.BEGUN : End.NOT_BEGUN;
      }
      now = state;
    }
    return End.BEFORE;
  }

  final boolean isHandedOut() {
    int now = state;
    return now == HANDED_OUT || now == BEGUN;
  }

  @Override
  public final void begin() {
    if (queue().storage() == null) {
      begun = true;
    } else if (STATE.compareAndSet(this, HANDED_OUT, BEGUN)) {
      queue().outcomes().begun(queued());
    }
  }

  @Override
  public int failures() {
    return 0;
  }

  @Override
  public int losses() {
    return 0;
  }

  /** The engine has no leases: what is handed out stays so until it is settled. */
  @Override
  public final CompletionStage<Void> extend(Duration time) {
    return DONE;
  }

  @Override
  public final CompletionStage<Settlement> settle(Outcome outcome) {
    return queue().outcomes().settle(this, outcome);
  }

  @Override
  final List<HeldJob> deliveries() {
    return List.of(this);
  }

  @Override
  final void takeBack() {
    queue().outcomes().takeBack(this);
  }
}
