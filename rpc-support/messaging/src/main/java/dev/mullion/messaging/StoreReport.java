package dev.mullion.messaging;

import dev.mullion.messaging.Store.Contents;
import dev.mullion.messaging.Store.Job;
import dev.mullion.messaging.Store.StoredQueue;
import dev.mullion.messaging.engine.Route;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * A command that prints what a durable engine's directory holds: its queues and groups with their
 * settings, and how many messages wait, are delayed or are dead letters. It only reads.
 *
 * <pre>{@code
 * java -cp messaging.jar:h2-mvstore.jar:jspecify.jar dev.mullion.messaging.StoreReport DIRECTORY
 * }</pre>
 *
 * <p>While an engine has the directory open, the figures are those of one of its last commits. An
 * engine that changes the file faster than it can be read has to be stopped, or asked itself:
 * {@link Messaging#queues}.
 */
public final class StoreReport {
  private static final int ATTEMPTS = 5;
  private static final String USAGE = """
      usage: StoreReport DIRECTORY
      Prints what the directory of a durable engine holds: queues and groups with their settings,
      and how many messages wait, are delayed or are dead letters. Changes nothing.
      """;

  private StoreReport() {}

  /** Prints the report; exits with 1 if the directory cannot be read, and 2 on wrong arguments. */
  public static void main(String[] args) {
    int status = run(args, System.out, System.err, System.currentTimeMillis());
    if (status != 0) {
      System.exit(status);
    }
  }

  static int run(String[] args, PrintStream out, PrintStream err, long nowMillis) {
    if (args.length != 1 || args[0].startsWith("-")) {
      err.print(USAGE);
      return 2;
    }
    Path directory = Path.of(args[0]);
    try {
      MvStore.checkLibrary("StoreReport");
      if (!Files.exists(StoreDirectory.storeIn(directory))) {
        throw new StoreException(
            StoreDirectory.storeIn(directory) + " is missing (expected: an engine's directory)");
      }
      out.print(report(directory, StoreDirectory.userOf(directory), nowMillis));
      return 0;
    } catch (StoreException | IllegalStateException e) {
      err.println(e.getMessage());
    } catch (IOException e) {
      err.println(directory + " cannot be read: " + StoreDirectory.reason(e));
    }
    return 1;
  }

  private static String report(Path directory, Optional<String> user, long nowMillis)
      throws IOException {
    for (int attempt = 1; ; attempt++) {
      try {
        return read(directory, user, nowMillis);
      } catch (StoreException e) {
        if (user.isEmpty()) {
          throw e;
        }
        if (attempt == ATTEMPTS) {
          throw new StoreException(
              directory + " is in use by " + user.get() + ", and changes faster than it can be"
                  + " read; stop it, or ask it by Messaging.queues() (" + e.getMessage() + ")",
              e);
        }
      }
    }
  }

  private static String read(Path directory, Optional<String> user, long nowMillis)
      throws IOException {
    Path path = StoreDirectory.storeIn(directory);
    Path marksPath = StoreDirectory.marksIn(directory);
    long synced = 0;
    int begun = 0;
    if (Files.exists(marksPath)) {
      StoreMarks marks = StoreMarks.read(marksPath);
      synced = marks.syncedVersion();
      begun = marks.left().size();
    }
    StoreMaps maps = StoreMaps.open(new DiskFile(path.toFile(), true), path, true, synced);
    try {
      StringBuilder text = new StringBuilder();
      text.append(path).append(": format version ").append(StoreMaps.FORMAT);
      text.append(", ").append(size(maps.size())).append(", ");
      text.append(user.map("in use by "::concat).orElse("not in use")).append('\n');
      if (begun > 0) {
        text.append(begun);
        text.append(user.isPresent() ? " handlers run\n" : " handlers ran when it ended\n");
      }
      List<StoredQueue> queues = new ArrayList<>(maps.queues());
      text.append(queues.isEmpty() ? "no queues\n" : "");
      for (StoredQueue queue : queues) {
        append(text, maps.contents(queue), nowMillis);
      }
      return text.toString();
    } finally {
      maps.closeImmediately();
    }
  }

  private static void append(StringBuilder text, Contents contents, long nowMillis) {
    Route.Queue queue = contents.queue().declaration();
    text.append(queue.source().isPresent() ? "group " : "queue ").append(queue.name());
    queue.source().ifPresent(source -> text.append(" of ").append(source));
    text.append(": ").append(settings(queue)).append('\n');
    long waiting = 0;
    long bytes = 0;
    long delayed = 0;
    long failed = 0;
    for (Job job : contents.jobs()) {
      boolean later = job.dueMillis() > nowMillis;
      delayed += later ? 1 : 0;
      waiting += later ? 0 : 1;
      bytes += later ? 0 : job.bytes();
      failed += job.failures() + job.losses() > 0 ? 1 : 0;
    }
    text.append("  waiting ")
        .append(waiting)
        .append(" (")
        .append(size(bytes))
        .append("), delayed ");
    text.append(delayed).append(", delivered before ").append(failed);
    text.append(", dead letters ").append(contents.deadLetters().size()).append('\n');
  }

  private static String settings(Route.Queue queue) {
    Redelivery redelivery = queue.redelivery();
    StringBuilder text = new StringBuilder();
    text.append(redelivery.maxDeliveries()).append(" deliveries");
    if (!redelivery.delay().isZero()) {
      text.append(", ").append(time(redelivery.delay())).append(" apart");
      if (redelivery.multiplier() > 1) {
        text.append(", x ").append(redelivery.multiplier());
        text.append(" up to ").append(time(redelivery.maxDelay()));
      }
    }
    text.append(", timeout ").append(time(queue.handlerTimeout()));
    text.append(queue.ordered() ? ", ordered" : "");
    if (queue.capacity() > 0 || queue.capacityBytes() > 0) {
      text.append(queue.capacity() > 0 ? ", at most " + queue.capacity() : "");
      text.append(queue.capacityBytes() > 0 ? ", at most " + size(queue.capacityBytes()) : "");
      text.append(", then ").append(queue.overflow());
    }
    text.append(", dead letters at most ").append(queue.maxDeadLetters());
    return text.append(" for ").append(time(queue.deadLetterAge())).toString();
  }

  private static String time(Duration time) {
    if (time.compareTo(Duration.ofDays(1)) >= 0) {
      return time.toDays() + " d";
    }
    return time.toString().substring(2).toLowerCase(Locale.ROOT); // 1m30s
  }

  private static String size(long bytes) {
    if (bytes < 10_000) {
      return bytes + " B";
    }
    return bytes < 10_000_000 ? bytes / 1000 + " kB" : bytes / 1_000_000 + " MB";
  }
}
