package dev.mullion.messaging.tck;

import dev.mullion.messaging.EmbeddedBroker;
import dev.mullion.messaging.EmbeddedEngine;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.engine.Engine;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** The embedded engine in a directory of its own, which is deleted after the test. */
final class EmbeddedDurableUnderTest
    implements EngineUnderTest.Damageable, EngineUnderTest.MultiProcess {
  private final Path directory;
  private @Nullable EmbeddedBroker broker;
  private @Nullable EmbeddedBroker other;

  EmbeddedDurableUnderTest() throws IOException {
    directory = Files.createTempDirectory("messaging-tck");
    start();
  }

  static EmbeddedBroker open(Path directory) throws MessagingException {
    return EmbeddedEngine.builder().directory(directory).build().start();
  }

  @Override
  public Engine engine() {
    if (broker == null) {
      throw new IllegalStateException("the broker is stopped");
    }
    return broker;
  }

  @Override
  public void stop() {
    if (broker != null) {
      broker.close();
    }
    broker = null;
  }

  @Override
  public void start() throws MessagingException {
    broker = open(directory);
  }

  @Override
  public boolean clientsSurvive() {
    return false;
  }

  /** The tests of the store itself, in the module messaging, have the others. */
  @Override
  public Set<Damage> damages() {
    return Set.of(Damage.IN_USE, Damage.TORN_WRITE);
  }

  @Override
  public void damage(Damage damage) throws IOException {
    Path store = directory.resolve("store.mv");
    switch (damage) {
      case IN_USE -> other = open(directory);
      case TORN_WRITE -> {
        byte[] undamaged = Files.readAllBytes(store);
        byte[] torn = Arrays.copyOfRange(undamaged, undamaged.length - 4096, undamaged.length);
        Files.write(store, Arrays.copyOf(torn, 2500), StandardOpenOption.APPEND);
      }
      default -> throw new IllegalArgumentException(damage.name());
    }
  }

  @Override
  public void repair(Damage damage) {
    if (other != null) {
      other.close();
      other = null;
    }
  }

  @Override
  public Class<? extends RemoteEngine> remote() {
    return InDirectory.class;
  }

  @Override
  public String address() {
    return directory.toString();
  }

  @Override
  public boolean exclusive() {
    return true;
  }

  @Override
  public void skipping(String field, String reason) {
    EmbeddedUnderTest.mustSurviveOnly(field, reason);
  }

  @Override
  public long storedBytes() {
    File[] files = directory.toFile().listFiles();
    return files == null ? 0 : Stream.of(files).mapToLong(File::length).sum();
  }

  @Override
  public void close() throws IOException {
    stop();
    List<Path> files;
    try (Stream<Path> all = Files.walk(directory)) {
      files = all.sorted(Comparator.reverseOrder()).toList();
    }
    for (Path file : files) {
      Files.delete(file);
    }
  }

  /** Opens the directory in another process. */
  public static final class InDirectory implements RemoteEngine {
    /** Creates it. */
    public InDirectory() {}

    @Override
    public Engine open(String address) {
      try {
        return EmbeddedDurableUnderTest.open(Path.of(address));
      } catch (MessagingException e) {
        throw new UncheckedIOException(e);
      }
    }
  }
}
