package dev.mullion.messaging;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.testing.JavaProcess;
import java.io.BufferedReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Kills a process ({@code kill -9}) while it moves dead letters back into their queue, while its
 * worker makes dead letters of them again, and while it deletes some. Each message has to be in one
 * place afterwards. {@code -Dmullion.store.killRounds=N} for more rounds.
 */
class LetterKillTest {
  private static final WorkQueue<String> JOBS = WorkQueue.of("jobs", Codecs.utf8());
  private static final int MESSAGES = 300;
  private static final String REDRIVE = "redrive";
  private static final String PURGE = "purge";

  @TempDir
  Path directory;

  /** Works on the letters until killed, or until its parent is gone. */
  public static void main(String[] args) throws Exception {
    EmbeddedEngine engine = EmbeddedEngine.builder().directory(Path.of(args[0])).build();
    try (EmbeddedBroker broker = engine.start();
        Messaging messaging = Messaging.on(broker)) {
      DeadLetters letters = messaging.deadLetters(JOBS);
      System.out.println("open");
      if (args[1].equals(PURGE)) {
        letters.purge(each -> number(each) % 2 == 0).toCompletableFuture().get();
        System.out.println("purged");
        System.in.read();
        return;
      }
      while (System.in.available() == 0) {
        Subscription worker = messaging.pull(JOBS, LetterKillTest::reject);
        Waiting.until(() -> count(letters) == MESSAGES);
        worker.close();
        assertThat(letters.redrive(MESSAGES, each -> true).toCompletableFuture().get())
            .isEqualTo(MESSAGES);
      }
    }
  }

  private static void reject(Delivery<String> job) throws RejectedMessageException {
    throw new RejectedMessageException("no");
  }

  private static int number(DeadLetter letter) {
    return Integer.parseInt(new String(letter.original().payload(), StandardCharsets.UTF_8));
  }

  private static long count(DeadLetters letters) {
    return letters.count().toCompletableFuture().join();
  }

  /** Starts a process, kills it after a time, and returns whether it said that it was done. */
  private boolean killed(String what, int millis) throws Exception {
    Process process = JavaProcess.start(LetterKillTest.class, directory.toString(), what);
    try (BufferedReader out = JavaProcess.output(process)) {
      String line = out.readLine();
      while (line != null && !line.equals("open")) {
        line = out.readLine();
      }
      assertThat(line).isEqualTo("open");
      process.waitFor(millis, TimeUnit.MILLISECONDS);
      process.toHandle().destroyForcibly(); // keeps the stream open
      return out.lines().anyMatch("purged"::equals);
    } finally {
      process.destroyForcibly().waitFor();
    }
  }

  private static List<Integer> numbers(int step) {
    return IntStream.range(0, MESSAGES)
        .filter(i -> i % step == 1 % step)
        .boxed()
        .toList();
  }

  @Test
  void eachMessageIsInOnePlaceAfterAKill() throws Exception {
    Random random = new Random();
    int rounds = Integer.getInteger("mullion.store.killRounds", 2);
    try (Messaging messaging = open()) {
      for (int i = 0; i < MESSAGES; i++) {
        messaging.push(JOBS, "" + i).get();
      }
    }
    for (int round = 0; round < rounds; round++) {
      killed(REDRIVE, random.nextInt(700));
      assertThat(allMessages()).containsExactlyInAnyOrderElementsOf(numbers(1));
    }
    boolean purged = killed(PURGE, random.nextInt(20));
    List<Integer> left = allMessages();
    assertThat(left).doesNotHaveDuplicates().containsAll(numbers(2));
    assertThat(purged && left.size() > MESSAGES / 2).isFalse();
  }

  private Messaging open() throws MessagingException {
    return Messaging.on(EmbeddedEngine.builder().directory(directory).build());
  }

  /** Returns the messages in the queue and those that are dead letters; then all are letters. */
  private List<Integer> allMessages() throws Exception {
    try (Messaging messaging = open()) {
      DeadLetters letters = messaging.deadLetters(JOBS);
      List<Integer> all = new CopyOnWriteArrayList<>();
      letters.peek(MESSAGES).toCompletableFuture().get().forEach(each -> all.add(number(each)));
      QueueStatus status = messaging.queues().toCompletableFuture().get().get(0);
      long waiting = status.waiting() + status.delayed();
      Subscription worker = messaging.pull(JOBS, job -> {
        all.add(Integer.parseInt(job.payload()));
        reject(job);
      });
      Waiting.until(() -> worker.counters().rejected() == waiting);
      Waiting.until(() -> count(letters) == all.size());
      return new ArrayList<>(all);
    }
  }
}
