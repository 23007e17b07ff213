package dev.mullion.messaging;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.messaging.engine.Route;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class DeclaredTest {
  private static final Route ORDERS = new Route.Topic("orders");

  private final FakeEngine link = new FakeEngine();
  private final Declared declared = new Declared(link);

  private CompletableFuture<@Nullable Void> prepared(Route route) {
    CompletableFuture<@Nullable Void> done = new CompletableFuture<>();
    Thread thread = new Thread(() -> {
      try {
        declared.prepare(route);
        done.complete(null);
      } catch (Throwable e) {
        done.completeExceptionally(e);
      }
    });
    thread.start();
    if (!route.name().equals("quick")) {
      Waiting.untilBlocked(thread);
    }
    return done;
  }

  @Test
  void equalRoutesAreAskedForOnce() throws Exception {
    declared.prepare(ORDERS);
    declared.prepare(new Route.Topic("orders"));
    declared.prepare(ORDERS);
    declared.prepare(new Route.Subject("orders"));

    assertThat(link.calls).containsExactly("prepare orders CHECK", "prepare orders CHECK");
  }

  /** Each topic that was ever published to was remembered. */
  @Test
  void routesAreBounded() throws Exception {
    for (int turn = 0; turn < 2; turn++) {
      for (int i = 0; i < Declared.MOST; i++) {
        declared.prepare(new Route.Subject("subject-" + i));
      }
    }
    assertThat(link.calls).hasSize(Declared.MOST);

    for (int i = 0; i < 2; i++) {
      declared.prepare(new Route.Subject("one more"));
      declared.prepare(new Route.Subject("subject-0"));
    }
    assertThat(link.calls).hasSize(Declared.MOST + 2);
  }

  @Test
  void failureIsNotRemembered() throws Exception {
    for (Throwable error : List.of(
        new ConflictingDeclarationException("x"), new IllegalStateException(), new Error("e"))) {
      link.preparing = (route, declaration) -> DeclaredTest.<RuntimeException>sneak(error);
      assertThatThrownBy(() -> declared.prepare(ORDERS)).isSameAs(error);
    }
    link.preparing = (route, declaration) -> {};
    declared.prepare(ORDERS);
    declared.prepare(ORDERS);

    assertThat(link.calls).hasSize(4);
  }

  @SuppressWarnings("unchecked")
  private static <E extends Throwable> void sneak(Throwable error) throws E {
    throw (E) error;
  }

  @Test
  void callersShareACallAndOtherRoutesDoNotWait() throws Exception {
    CountDownLatch gate = new CountDownLatch(1);
    link.preparing = (route, declaration) -> {
      if (route.equals(ORDERS)) {
        await(gate);
        throw new UnsupportedSettingException("no topics");
      }
    };
    List<CompletableFuture<@Nullable Void>> waiting = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      waiting.add(prepared(new Route.Topic("orders")));
    }

    prepared(new Route.Topic("quick")).get(20, TimeUnit.SECONDS);
    waiting.forEach(each -> assertThat(each).isNotDone());
    gate.countDown();

    for (CompletableFuture<?> each : waiting) {
      assertThatThrownBy(() -> each.get(20, TimeUnit.SECONDS))
          .isInstanceOf(ExecutionException.class)
          .cause()
          .isInstanceOf(UnsupportedSettingException.class)
          .hasMessage("no topics");
    }
    assertThat(link.calls).hasSize(2);
  }

  private static void await(CountDownLatch gate) {
    try {
      gate.await();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void forgettingDuringACallRemembersNothingOfIt() throws Exception {
    CountDownLatch gate = new CountDownLatch(1);
    link.preparing = (route, declaration) -> await(gate);
    CompletableFuture<@Nullable Void> first = prepared(ORDERS);
    declared.forgetAll();
    gate.countDown();
    first.get(20, TimeUnit.SECONDS);

    declared.prepare(ORDERS);

    assertThat(link.calls).hasSize(2);
  }

  @Test
  void forgettingOneQueueKeepsTheOthers() throws Exception {
    Route.Queue jobs = WorkQueue.of("jobs", Codecs.utf8()).route();
    Route.Queue others = WorkQueue.of("others", Codecs.utf8()).route();
    declared.prepare(jobs);
    declared.prepare(others);
    declared.prepare(new Route.Topic("jobs"));

    declared.forget(
        WorkQueue.builder("jobs", Codecs.utf8()).ordered(true).build().route());
    declared.prepare(new Route.Topic("jobs"));
    declared.prepare(others);
    assertThat(link.calls).hasSize(3);
    declared.prepare(jobs);
    assertThat(link.calls).hasSize(4);
  }

  @Test
  void forgettingATopicKeepsTheQueueOfItsName() throws Exception {
    Route.Queue jobs = WorkQueue.of("jobs", Codecs.utf8()).route();
    declared.prepare(jobs);
    declared.prepare(new Route.Topic("jobs"));

    declared.forget(new Route.Topic("jobs"));
    declared.prepare(jobs);
    assertThat(link.calls).hasSize(2);
    declared.prepare(new Route.Topic("jobs"));
    assertThat(link.calls).hasSize(3);
  }
}
