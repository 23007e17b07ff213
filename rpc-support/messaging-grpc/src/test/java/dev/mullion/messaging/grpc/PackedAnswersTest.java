package dev.mullion.messaging.grpc;

import static dev.mullion.messaging.grpc.StubClient.frame;
import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.grpc.ScriptedEngine.Delivery;
import dev.mullion.messaging.grpc.v1.Acknowledged;
import dev.mullion.messaging.grpc.v1.ClientFrame;
import dev.mullion.messaging.grpc.v1.Done;
import dev.mullion.messaging.grpc.v1.Send;
import dev.mullion.messaging.grpc.v1.ServerFrame;
import dev.mullion.messaging.grpc.v1.ServerFrame.FrameCase;
import dev.mullion.messaging.grpc.v1.Settle;
import dev.mullion.messaging.grpc.v1.Settled;
import dev.mullion.messaging.grpc.v1.Settlement;
import io.grpc.Status;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Answers and outcomes that share a frame. */
class PackedAnswersTest {
  private final ScriptedEngine engine = new ScriptedEngine();
  private MessagingServer server;

  @BeforeEach
  void start() throws Exception {
    server = MessagingServer.builder(engine).start();
  }

  @AfterEach
  void stop() {
    server.close();
  }

  private StubClient packing() {
    StubClient client = StubClient.silent(server);
    ClientFrame.Builder hello = StubClient.hello(1);
    hello.getHelloBuilder().setPacksAnswers(true);
    client.send(hello);
    client.expect(FrameCase.WELCOME);
    return client;
  }

  private static ClientFrame.Builder[] sends(int count) {
    return LongStream.rangeClosed(1, count)
        .mapToObj(id -> frame().setSend(Send.newBuilder().setId(id).setTopic("prices")))
        .toArray(ClientFrame.Builder[]::new);
  }

  /** Delivers this many, and returns their ids. */
  private List<Long> deliveries(StubClient client, int count) {
    client.pull(99, "jobs", count);
    List<Long> ids = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      engine.deliver("jobs", "job");
      ids.add(client.delivery().getDelivery());
    }
    return ids;
  }

  private static Settle.Builder acknowledged(List<Long> deliveries) {
    return Settle.newBuilder()
        .setDelivery(deliveries.get(0))
        .setAcknowledged(Acknowledged.newBuilder()
            .addAllMoreDeliveries(deliveries.subList(1, deliveries.size())));
  }

  @Test
  void oneFrameAnswersTheSendsOfBatch() {
    try (StubClient client = packing()) {
      client.send(sends(100));
      Done done = client.done();
      assertThat(done.getId()).isEqualTo(1);
      assertThat(done.getMoreIdsList())
          .containsExactlyElementsOf(LongStream.rangeClosed(2, 100).boxed().toList());
    }
  }

  @Test
  void simpleClientGetsFrameForEach() {
    try (StubClient client = StubClient.connect(server)) {
      client.send(sends(100));
      for (long id = 1; id <= 100; id++) {
        assertThat(client.done()).isEqualTo(Done.newBuilder().setId(id).build());
      }
      List<Long> deliveries = deliveries(client, 3);
      client.send(frame().setSettle(acknowledged(deliveries)));
      for (long delivery : deliveries) {
        assertThat(client.expect(FrameCase.SETTLED).getSettled())
            .isEqualTo(Settled.newBuilder()
                .setDelivery(delivery)
                .setSettlement(Settlement.SETTLEMENT_APPLIED)
                .build());
      }
    }
  }

  @Test
  void oneFrameSettlesMany() {
    try (StubClient client = packing()) {
      List<Long> deliveries = deliveries(client, 3);
      client.credit(99, 1);
      final Delivery last = engine.deliver("jobs", "not among them");
      client.delivery();
      client.send(frame().setSettle(acknowledged(deliveries)));
      List<Long> settled = new ArrayList<>();
      while (settled.size() < 3) {
        Settled frame = client.expect(FrameCase.SETTLED).getSettled();
        assertThat(frame.getSettlement()).isEqualTo(Settlement.SETTLEMENT_APPLIED);
        settled.add(frame.getDelivery());
        settled.addAll(frame.getMoreDeliveriesList());
      }
      assertThat(settled).isEqualTo(deliveries);
      assertThat(last.outcome).isNotDone();
    }
  }

  @Test
  void twiceTheSameInOneFrameIsSettledOnce() {
    try (StubClient client = packing()) {
      long id = deliveries(client, 1).get(0);
      client.send(frame().setSettle(acknowledged(List.of(id, id))));
      List<Settlement> settlements = List.of(client.settlement(), client.settlement());
      assertThat(settlements)
          .containsExactlyInAnyOrder(
              Settlement.SETTLEMENT_APPLIED, Settlement.SETTLEMENT_LEASE_LOST);
    }
  }

  @Test
  void unknownDeliveryAmongOthersEndsTheStream() {
    try (StubClient client = packing()) {
      long id = deliveries(client, 1).get(0);
      client.send(frame().setSettle(acknowledged(List.of(id, 1000L))));
      Status status = client.status();
      assertThat(status.getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT);
      assertThat(status.getDescription()).startsWith("delivery: 1000 (expected: one that was");
    }
  }

  @Test
  void answersThatNobodyReadsAreBounded() {
    PackedAnswers answers = new PackedAnswers();
    for (long id = 1; id <= 10_000; id++) {
      answers.done(id);
      answers.applied(-id);
    }
    assertThat(answers.waitingBytes()).isGreaterThan(20_000 * 40);
    List<Long> done = new ArrayList<>();
    List<Long> applied = new ArrayList<>();
    while (!answers.isEmpty()) {
      ServerFrame frame = requireNonNull(answers.poll());
      if (frame.hasDone()) {
        done.add(frame.getDone().getId());
        done.addAll(frame.getDone().getMoreIdsList());
      } else {
        applied.add(frame.getSettled().getDelivery());
        applied.addAll(frame.getSettled().getMoreDeliveriesList());
      }
    }
    assertThat(done).isEqualTo(LongStream.rangeClosed(1, 10_000).boxed().toList());
    assertThat(applied).hasSize(10_000).doesNotHaveDuplicates();
    assertThat(answers.poll()).isNull();
    assertThat(answers.waitingBytes()).isZero();
  }

  @Test
  void outcomeIsStillThatOfTheEngine() {
    try (StubClient client = packing()) {
      client.pull(3, "jobs", 2);
      Delivery job = engine.deliver("jobs", "one");
      client.acknowledge(client.delivery().getDelivery());
      assertThat(job.outcome()).isEqualTo(new Outcome.Acknowledge());
      assertThat(client.settlement()).isEqualTo(Settlement.SETTLEMENT_APPLIED);
    }
  }
}
