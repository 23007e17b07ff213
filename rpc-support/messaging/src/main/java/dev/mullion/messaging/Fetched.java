package dev.mullion.messaging;

import dev.mullion.messaging.engine.RawDelivery;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * One message that was fetched, from its arrival to its end.
 *
 * <pre>
 *  WAITING --taken--&gt; RUNNING --returned, failed, refused--&gt; ENDED
 *     |                  |-----handlerTimeout passed--------&gt; TIMED_OUT    late returns ignored
 *     |                  '-----timeout of a stop passed-----&gt; INTERRUPTED  late returns ignored
 *     '--stop-----------------------------------------------&gt; RETURNED
 * </pre>
 *
 * <p>Whoever moves it out of RUNNING settles it with the engine, so that happens once.
 *
 * @param <T> the payload's type
 */
final class Fetched<T> extends HandlerCall<T> implements Delivery<T> {
  private static final VarHandle STAGE;

  static {
    try {
      STAGE = MethodHandles.lookup().findVarHandle(Fetched.class, "stage", Stage.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  final RawDelivery raw;
  final int deliveryCount;

  /** Whether it may have killed its process: it is handled alone. */
  final boolean suspect;

  /** The key whose order is kept; null if there is nothing to keep. */
  final @Nullable String lane;

  @SuppressWarnings("unused") // by STAGE: the inbox publishes it, so it need not be volatile
  private Stage stage = Stage.WAITING;

  private @Nullable Ending ending; // written before the stage is ENDED
  private HandlerCall<T> call = this;
  private @Nullable Message<T> message; // null until it is decoded
  boolean recorded; // guarded by the inbox's lock: counted by its ending
  long seen = -1; // guarded by the inbox's lock: when a look at the buffer first found it
  boolean inLane; // guarded by the inbox's lock: it holds its key

  enum Stage {
    WAITING,
    RETURNED,
    RUNNING,
    ENDED,
    TIMED_OUT,
    INTERRUPTED
  }

  Fetched(RunningSubscription<T> owner, RawDelivery raw, int maxDeliveries, boolean keepsOrder) {
    super(owner);
    this.raw = raw;
    int losses = raw.losses();
    this.deliveryCount = raw.failures() + losses + 1;
    this.suspect = losses > 0 && deliveryCount <= maxDeliveries;
    this.lane = keepsOrder ? raw.message().key().orElse(null) : null;
  }

  /** Makes it part of a batch. */
  void join(HandlerCall<T> batch) {
    call = batch;
  }

  /**
   * Ends it before its call has begun; false if it has. Under the inbox's lock, which counts it.
   */
  boolean giveBack() {
    return STAGE.compareAndSet(this, Stage.WAITING, Stage.RETURNED);
  }

  boolean belongsTo(HandlerCall<T> batch) {
    return call == batch;
  }

  void decoded(T payload) {
    message = raw.message().withPayload(payload);
  }

  @Override
  boolean begin() {
    return stage() == Stage.RUNNING || STAGE.compareAndSet(this, Stage.WAITING, Stage.RUNNING);
  }

  Stage stage() {
    return (Stage) STAGE.getVolatile(this);
  }

  boolean isWaiting() {
    return stage() == Stage.WAITING;
  }

  @Override
  boolean isRunning() {
    return stage() == Stage.RUNNING;
  }

  /** Ends it; false if that has happened already. */
  boolean end(Ending how) {
    if (stage() != Stage.RUNNING) {
      return false;
    }
    ending = how;
    return STAGE.compareAndSet(this, Stage.RUNNING, Stage.ENDED);
  }

  /** Ends it before its handler has returned. */
  boolean cut(Stage to) {
    return STAGE.compareAndSet(this, Stage.RUNNING, to);
  }

  @Override
  boolean isCut() {
    Stage now = stage();
    return now == Stage.TIMED_OUT || now == Stage.INTERRUPTED;
  }

  /** Returns how it ended by {@link #end}; null if it did not. */
  @Nullable
  Ending ending() {
    return stage() == Stage.ENDED ? ending : null;
  }

  @Override
  int size() {
    return 1;
  }

  @Override
  Fetched<T> get(int index) {
    return this;
  }

  /** Returns the message; one that cannot be decoded, which only listeners see, has its bytes. */
  @Override
  @SuppressWarnings("unchecked")
  public Message<T> message() {
    Message<T> decoded = message;
    return decoded != null ? decoded : (Message<T>) (Message<?>) raw.message();
  }

  @Override
  public String address() {
    return raw.address();
  }

  @Override
  public int deliveryCount() {
    return deliveryCount;
  }

  @Override
  public boolean isLast() {
    return deliveryCount >= owner.maxDeliveries();
  }

  @Override
  public Instant deadline() {
    return owner.instantOf(call.deadlineNanos());
  }

  @Override
  public CompletionStage<Void> extend(Duration time) {
    return owner.extend(call, this, Arguments.positive(time, "time"));
  }

  @Override
  public String toString() {
    return raw.message() + " of " + address() + ", delivery " + deliveryCount;
  }
}
