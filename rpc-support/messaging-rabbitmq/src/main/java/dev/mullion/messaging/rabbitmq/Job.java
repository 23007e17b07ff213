package dev.mullion.messaging.rabbitmq;

import com.rabbitmq.client.AMQP.BasicProperties;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Envelope;
import dev.mullion.messaging.DeadLetter;
import dev.mullion.messaging.Message;
import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.engine.Settlement;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * A job that the broker has handed out. What failed, or goes back uncounted, is published as a copy
 * with the new count in its headers; the broker confirms that, and then the original is
 * acknowledged. So a job is there twice for a moment, and never gone.
 *
 * <pre>
 *  outcome       copy to                        then      if the copy is rejected
 *  acknowledge   -                              ack
 *  redeliver     delay queue, or jobs           ack       reject, which the broker counts
 *  give back     jobs; counted: suspects        ack       reject
 *  bury          dead letters                   ack       reject
 * </pre>
 *
 * <p>One whose headers leave no room for those of a copy is dead-lettered by the broker.
 */
final class Job implements Fetched {
  static final CompletionStage<Settlement> APPLIED =
      CompletableFuture.completedFuture(Settlement.APPLIED);
  static final CompletionStage<Settlement> LEASE_LOST =
      CompletableFuture.completedFuture(Settlement.LEASE_LOST);

  private final JobOwner owner;
  private final Session session;
  private final Channel channel;
  private final long tag;
  private final Message<byte[]> message;
  private final String address;
  private final int failures;
  private final int losses;
  private final long expires;
  private final AtomicBoolean settled = new AtomicBoolean();
  private volatile boolean begun;

  Job(
      JobOwner owner,
      Session session,
      Channel channel,
      Envelope envelope,
      BasicProperties properties,
      byte[] body,
      int newLosses) {
    this.owner = owner;
    this.session = session;
    this.channel = channel;
    this.tag = envelope.getDeliveryTag();
    this.message = Wire.from(properties, body);
    Map<String, Object> headers = Wire.headers(properties);
    this.address = address(headers, envelope);
    this.failures = (int) Wire.number(headers, Wire.FAILURES, 0);
    this.losses = (int) Wire.number(headers, Wire.LOSSES, 0) + newLosses;
    this.expires = Wire.number(headers, Wire.EXPIRES, Long.MAX_VALUE);
  }

  /** Returns how often the broker has handed it out before. */
  static int deliveries(BasicProperties properties) {
    return (int) Wire.number(Wire.headers(properties), "x-delivery-count", 0);
  }

  @Override
  public Message<byte[]> message() {
    return message;
  }

  @Override
  public String address() {
    return address;
  }

  @Override
  public int failures() {
    return failures;
  }

  @Override
  public int losses() {
    return losses;
  }

  @Override
  public void begin() {
    begun = true;
  }

  private String address(Map<String, Object> headers, Envelope envelope) {
    if (owner.queue().source().isEmpty()) {
      return owner.queue().name();
    }
    String kept = Wire.text(headers, Wire.ADDRESS, null);
    return kept == null ? envelope.getRoutingKey() : kept;
  }

  @Override
  public Session session() {
    return session;
  }

  /** Buries it if its time to live has passed. */
  @Override
  public boolean refuse() {
    if (expires > System.currentTimeMillis()) {
      return false;
    }
    settle(new Outcome.Bury(DeadLetter.Reason.EXPIRED, "its time to live has passed"));
    return true;
  }

  Route.Queue queue() {
    return owner.queue();
  }

  @Override
  public Channel channel() {
    return channel;
  }

  @Override
  public CompletionStage<Settlement> giveBack() {
    return settle(new Outcome.GiveBack(false));
  }

  @Override
  public void forget() {
    if (settled.compareAndSet(false, true)) {
      owner.settled(this);
    }
  }

  @Override
  public CompletionStage<Void> extend(Duration time) {
    return CompletableFuture.completedFuture(null); // the broker has no lease
  }

  @Override
  public CompletionStage<Settlement> settle(Outcome outcome) {
    if (!settled.compareAndSet(false, true)) {
      return LEASE_LOST;
    }
    if (!isHeld()) {
      owner.settled(this);
      return LEASE_LOST;
    }
    if (outcome instanceof Outcome.Acknowledge) {
      CompletableFuture<@Nullable Void> gate = owner.gate();
      return gate == null
          ? acknowledge() ? APPLIED : LEASE_LOST
          : gate.thenApplyAsync(
              open -> acknowledge() ? Settlement.APPLIED : Settlement.LEASE_LOST,
              owner.link().settling());
    }
    if (outcome instanceof Outcome.Redeliver failed) {
      return answered(owner.redeliver(this, failed.delay(), copy(failures + 1, losses)));
    }
    if (outcome instanceof Outcome.GiveBack back) {
      return answered(
          back.counted()
              ? owner.suspect(this, copy(failures, losses + 1))
              : owner.giveBack(this, copy(failures, losses)));
    }
    return answered(bury(letter((Outcome.Bury) outcome)));
  }

  /** Acknowledges; false if the connection is gone. */
  private boolean acknowledge() {
    try {
      return session.acknowledge(channel, tag);
    } finally {
      owner.settled(this);
    }
  }

  private CompletableFuture<@Nullable Void> bury(Wire.Outgoing letter) {
    String to = owner.link().entities().deadLetters(owner.queue());
    return owner.link().copies().publish(this, to, letter);
  }

  /** Follows the copy: once it is confirmed, the original goes; if it is rejected, it stays. */
  private CompletionStage<Settlement> answered(CompletableFuture<@Nullable Void> copied) {
    CompletableFuture<Settlement> answer = new CompletableFuture<>();
    copied.whenCompleteAsync(
        (none, error) -> {
          CompletableFuture<@Nullable Void> gate = owner.gate();
          if (gate == null) {
            answer(answer, error);
          } else {
            gate.thenRunAsync(() -> answer(answer, error), owner.link().settling());
          }
        },
        owner.link().settling());
    return answer;
  }

  private void answer(CompletableFuture<Settlement> answer, @Nullable Throwable error) {
    Settlement settlement = Settlement.UNKNOWN;
    try {
      settlement =
          error == null ? (acknowledge() ? Settlement.APPLIED : Settlement.UNKNOWN) : reject(error);
    } finally {
      answer.complete(settlement);
    }
  }

  /** Puts the original back, which the broker counts; or away, if it can have no copy. */
  private Settlement reject(Throwable why) {
    try {
      return session.reject(channel, tag, !BrokerErrors.isTooLarge(why))
          ? Settlement.APPLIED
          : Settlement.UNKNOWN;
    } finally {
      owner.settled(this);
    }
  }

  private Wire.Outgoing copy(int failed, int lost) {
    Wire.Outgoing out = Wire.copy(message).persistent();
    Wire.correlation(out, message);
    if (failed > 0) {
      out.header(Wire.FAILURES, failed);
    }
    if (lost > 0) {
      out.header(Wire.LOSSES, lost);
    }
    if (owner.queue().source().isPresent()) {
      out.header(Wire.ADDRESS, address);
    }
    if (expires != Long.MAX_VALUE) {
      out.header(Wire.EXPIRES, expires);
      out.expiresAfter(Duration.ofMillis(expires - System.currentTimeMillis()));
    }
    return out;
  }

  private Wire.Outgoing letter(Outcome.Bury bury) {
    boolean counts = begun || bury.reason() == DeadLetter.Reason.UNDECODABLE;
    int count = failures + losses + (counts ? 1 : 0);
    Wire.Outgoing out = copy(0, 0);
    out.properties.expiration(null);
    out.headers.remove(Wire.EXPIRES);
    return out.header(Wire.REASON, bury.reason().name())
        .header(Wire.ERROR, Wire.bounded(bury.error()))
        .header(Wire.COUNT, count)
        .header(Wire.DIED, System.currentTimeMillis());
  }

  /** Moves it to the jobs that are handled alone; it was not begun here. */
  CompletionStage<Settlement> moveToSuspects() {
    if (!isHeld()) {
      forget();
    }
    return settled.compareAndSet(false, true)
        ? answered(owner.suspect(this, copy(failures, losses)))
        : LEASE_LOST;
  }
}
