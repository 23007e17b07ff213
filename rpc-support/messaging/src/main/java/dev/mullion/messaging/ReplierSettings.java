package dev.mullion.messaging;

import static java.util.Objects.requireNonNull;

import dev.mullion.messaging.Guarantees.Pattern;
import dev.mullion.messaging.SubscriptionPlan.UserCode;
import dev.mullion.messaging.engine.Route;
import java.util.concurrent.CompletableFuture;

/** The builder of repliers. */
final class ReplierSettings<Q, R> implements ReplierBuilder<Q, R> {
  private final Subscriptions subscriptions;
  private final Subject<Q, R> subject;
  private int concurrency = 16;

  ReplierSettings(Subscriptions subscriptions, Subject<Q, R> subject) {
    this.subscriptions = subscriptions;
    this.subject = subject;
  }

  @Override
  public ReplierBuilder<Q, R> concurrency(int concurrency) {
    this.concurrency =
        Arguments.within(concurrency, 1, SubscriptionPlan.MAX_CONCURRENCY, "concurrency");
    return this;
  }

  @Override
  public Subscription start(Replier<Q, R> replier) throws MessagingException {
    requireNonNull(replier, "replier");
    return start(
        false, false, call -> CompletableFuture.completedFuture(replier.reply(call.get(0))));
  }

  @Override
  public Subscription startAsync(AsyncReplier<Q, R> replier) throws MessagingException {
    requireNonNull(replier, "replier");
    return start(true, false, call -> UserCode.checked(replier.reply(call.get(0)), "the replier"));
  }

  @Override
  public Subscription startMessages(AsyncReplier<Q, Message<R>> replier) throws MessagingException {
    requireNonNull(replier, "replier");
    return start(true, true, call -> UserCode.checked(replier.reply(call.get(0)), "the replier"));
  }

  private Subscription start(boolean async, boolean whole, UserCode<Q> code)
      throws MessagingException {
    subscriptions.supported().row(Pattern.REQUEST_REPLY);
    return subscriptions.start(new SubscriptionPlan<>(
        new Route.Subject(subject.name()),
        subject.requestCodec(),
        new ReplyRules<>(subject, whole, subscriptions.outgoing()),
        code,
        async,
        false,
        concurrency,
        1,
        0,
        0,
        0,
        Overflow.BLOCK,
        null,
        false,
        false));
  }
}
