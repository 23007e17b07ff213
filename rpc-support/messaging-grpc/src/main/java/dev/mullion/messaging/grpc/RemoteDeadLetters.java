package dev.mullion.messaging.grpc;

import dev.mullion.messaging.DeadLetter;
import dev.mullion.messaging.DeadLetters;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.grpc.v1.ClientFrame;
import dev.mullion.messaging.grpc.v1.CountDeadLetters;
import dev.mullion.messaging.grpc.v1.Done;
import dev.mullion.messaging.grpc.v1.PeekDeadLetters;
import dev.mullion.messaging.grpc.v1.Queue;
import dev.mullion.messaging.grpc.v1.SelectDeadLetters;
import dev.mullion.messaging.grpc.v1.SelectDeadLetters.Action;
import java.util.List;
import java.util.concurrent.CompletionStage;
import java.util.function.Predicate;

/** The dead letters of a queue at the server. */
final class RemoteDeadLetters implements DeadLetters {
  private final GrpcLink link;
  private final Queue queue;

  RemoteDeadLetters(GrpcLink link, Route.Queue queue) {
    this.link = link;
    this.queue = WireQueues.of(queue);
  }

  @Override
  public CompletionStage<Long> count() {
    return link.ask(id -> ClientFrame.newBuilder()
            .setCountDeadLetters(CountDeadLetters.newBuilder().setId(id).setQueue(queue))
            .build())
        .thenApply(Done::getCount);
  }

  @Override
  public CompletionStage<List<DeadLetter>> peek(int max) {
    return link.list(
        id -> ClientFrame.newBuilder()
            .setPeekDeadLetters(
                PeekDeadLetters.newBuilder().setId(id).setQueue(queue).setMax(max))
            .build(),
        frame -> WireQueues.from(frame.getLetter().getLetter()));
  }

  @Override
  public CompletionStage<Long> redrive(int max, Predicate<DeadLetter> which) {
    return select(Action.ACTION_REDRIVE, max, which);
  }

  @Override
  public CompletionStage<Long> purge(Predicate<DeadLetter> which) {
    return select(Action.ACTION_PURGE, 0, which);
  }

  private CompletionStage<Long> select(Action action, int max, Predicate<DeadLetter> which) {
    return link.select(
            id -> ClientFrame.newBuilder()
                .setSelectDeadLetters(SelectDeadLetters.newBuilder()
                    .setId(id)
                    .setQueue(queue)
                    .setAction(action)
                    .setMax(max)
                    .setAsk(true))
                .build(),
            which)
        .thenApply(Done::getCount);
  }
}
