package dev.mullion.messaging;

import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A durable engine's directory, locked for this process.
 *
 * <pre>
 *  lock       locked while an engine is open; the text is its process's id
 *  store.mv   queues, jobs, messages and dead letters
 *  marks      jobs whose handlers have begun, and the newest synced version
 * </pre>
 *
 * <p>A new store is made as {@code store.mv.new} and renamed when it is on disk: a store that is
 * missing beside its marks was removed, and is no empty one.
 */
final class StoreDirectory implements MvStore.StorePlace {
  private static final Logger LOGGER = System.getLogger(StoreDirectory.class.getPackageName());
  private static final String LOCK = "lock";
  private static final String STORE = "store.mv";
  private static final String NEW = "store.mv.new";
  private static final String MARKS = "marks";

  /** A process loses its lock of a file when it closes any handle of it, so it opens only one. */
  private static final Set<Path> OPEN = new HashSet<>(); // guarded by itself

  private final Path directory;
  private final FileChannel lock;

  private StoreDirectory(Path directory, FileChannel lock) {
    this.directory = directory;
    this.lock = lock;
  }

  /** Creates the directory if it is absent, and locks it. */
  static StoreDirectory lock(Path path) throws StoreException {
    Path directory;
    try {
      Files.createDirectories(path);
      directory = path.toRealPath();
    } catch (FileAlreadyExistsException e) {
      throw new StoreException(path + " is not a directory", e);
    } catch (IOException e) {
      throw new StoreException(path + " cannot be created: " + reason(e), e);
    }
    synchronized (OPEN) {
      if (!OPEN.add(directory)) {
        throw inUse(directory, "this process, " + ProcessHandle.current().pid());
      }
    }
    try {
      return new StoreDirectory(directory, lockFile(directory));
    } catch (IOException e) {
      forget(directory);
      if (e instanceof StoreException known) {
        throw known;
      }
      throw new StoreException(directory.resolve(LOCK) + " cannot be written: " + reason(e), e);
    }
  }

  private static FileChannel lockFile(Path directory) throws IOException {
    Path path = directory.resolve(LOCK);
    FileChannel channel = FileChannel.open(
        path, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
    try {
      FileLock held = channel.tryLock();
      if (held == null) {
        throw inUse(directory, owner(channel));
      }
      byte[] text = (ProcessHandle.current().pid() + "\n").getBytes(StandardCharsets.US_ASCII);
      channel.truncate(0);
      channel.write(ByteBuffer.wrap(text), 0);
      return channel;
    } catch (IOException e) {
      channel.close();
      throw e;
    }
  }

  private static String owner(FileChannel channel) throws IOException {
    ByteBuffer text = ByteBuffer.allocate(32);
    int length = channel.read(text, 0);
    String pid = new String(text.array(), 0, Math.max(0, length), StandardCharsets.US_ASCII).trim();
    return pid.isEmpty() ? "another process" : "process " + pid;
  }

  private static StoreException inUse(Path directory, String owner) {
    return new StoreException(
        directory + " is in use by " + owner + " (expected: one engine for each directory)");
  }

  private static void forget(Path directory) {
    synchronized (OPEN) {
      OPEN.remove(directory);
    }
  }

  /** Opens a directory's store, which is made if there is none. */
  static MvStore open(Path path, MessagingClock clock) throws StoreException {
    StoreDirectory place = lock(path);
    boolean opened = false;
    try {
      Path made = place.toBeMade();
      if (made != null) {
        StoreMaps.create(new DiskFile(made.toFile(), false), made);
      }
      StoreMarks marks = StoreMarks.open(place.marks());
      if (made != null) {
        place.made(made);
      }
      StoreMaps maps =
          StoreMaps.open(place.open(false), place.path(), false, marks.syncedVersion());
      marks.synced(maps.version());
      MvStore store = new MvStore(place, maps, marks, clock);
      opened = true;
      return store;
    } catch (StoreException e) {
      throw e;
    } catch (IOException e) {
      throw new StoreException(path + " cannot be opened: " + reason(e), e);
    } finally {
      if (!opened) {
        place.release();
      }
    }
  }

  /**
   * Returns who has a directory open; empty if nobody has. It reads the id and takes no lock, which
   * could keep an engine from starting.
   */
  static Optional<String> userOf(Path directory) throws IOException {
    try {
      String pid =
          Files.readString(directory.resolve(LOCK), StandardCharsets.US_ASCII).trim();
      return pid.isEmpty() || ProcessHandle.of(Long.parseLong(pid)).isEmpty()
          ? Optional.empty()
          : Optional.of("process " + pid);
    } catch (NoSuchFileException | NumberFormatException e) {
      return Optional.empty();
    }
  }

  static Path storeIn(Path directory) {
    return directory.resolve(STORE);
  }

  static Path marksIn(Path directory) {
    return directory.resolve(MARKS);
  }

  @Override
  public Path path() {
    return storeIn(directory);
  }

  @Override
  public BlockFile open(boolean readOnly) throws IOException {
    return new DiskFile(path().toFile(), readOnly);
  }

  private Path marks() {
    return marksIn(directory);
  }

  /** Returns where to make a new store, or null if there is one. */
  private @Nullable Path toBeMade() throws IOException {
    if (Files.exists(path())) {
      return null;
    }
    Path made = directory.resolve(NEW);
    if (Files.exists(marks()) && !Files.exists(made)) {
      throw new StoreException(
          path() + " is missing, although " + marks() + " is there (expected: both or none)");
    }
    Files.deleteIfExists(made);
    Files.deleteIfExists(marks());
    return made;
  }

  /** Puts the store in place that was made there. */
  private void made(Path made) throws IOException {
    Files.move(made, path(), StandardCopyOption.ATOMIC_MOVE);
    syncDirectory();
  }

  /** Syncs the names of the directory's files. */
  private void syncDirectory() throws IOException {
    if (System.getProperty("os.name").startsWith("Windows")) {
      return; // where a directory cannot be opened
    }
    try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
      channel.force(true);
    }
  }

  /** Returns why a file failed: the text of the I/O error, if there was one. */
  static String reason(Throwable failure) {
    Throwable cause = failure;
    for (Throwable next = failure; next != null; next = next.getCause()) {
      cause = next instanceof IOException || cause == failure ? next : cause;
    }
    String text = String.valueOf(cause.getMessage());
    if (cause.getClass().getName().startsWith("org.h2.")) {
      return text.replaceFirst(" \\[[0-9./]+]$", ""); // MVStore's version and error code
    }
    return cause.getClass() == IOException.class
        ? text
        : cause.getClass().getSimpleName() + ": " + text;
  }

  @Override
  public void release() {
    try (lock) {
      lock.truncate(0);
    } catch (IOException e) {
      LOGGER.log(Level.WARNING, directory.resolve(LOCK) + " cannot be closed", e);
    } finally {
      forget(directory);
    }
  }
}
