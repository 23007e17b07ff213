package dev.mullion.messaging;

import static com.tngtech.archunit.base.DescribedPredicate.describe;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.domain.JavaPackage;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What this module may know: the JDK and JSpecify; no gRPC, no Netty, no engine of a broker. */
class ArchitectureTest {
  private static final String OWN = "dev.mullion.messaging";
  private static final String ENGINE = "dev.mullion.messaging.engine";

  /** The classes that need an optional library, by a pattern of their names. */
  private static final Map<String, String> DOORS = Map.of(
      "com.google.protobuf..", "ProtobufCodec",
      "com.fasterxml.jackson..", "JsonCodec",
      "io.micrometer..", "MessagingMetrics",
      "io.opentelemetry..", "MessagingTraces",
      "org.h2.mvstore..", "MvStore|Store\\w+|DiskFile|BlockFile"); // all behind MvStore

  private static final JavaClasses CLASSES = new ClassFileImporter().importPath(place());

  private static Path place() {
    try {
      return Path.of(
          Messaging.class.getProtectionDomain().getCodeSource().getLocation().toURI());
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void onlyTheDoorsKnowOptionalLibraries() {
    DOORS.forEach((library, doors) -> noClasses()
        .that(describe("are not " + doors, type -> !outermost(type).matches(doors)))
        .should()
        .dependOnClassesThat(resideInAPackage(library))
        .check(CLASSES));
  }

  private static String outermost(JavaClass type) {
    return type.getName().replaceAll("^.*\\.|\\$.*", "");
  }

  @Test
  void nothingElseIsKnown() {
    classes()
        .should()
        .onlyDependOnClassesThat(resideInAnyPackage(
            "java..",
            "org.jspecify.annotations",
            OWN,
            ENGINE,
            "com.google.protobuf..",
            "com.fasterxml.jackson..",
            "io.micrometer..",
            "io.opentelemetry..",
            "org.h2.mvstore.."))
        .check(CLASSES);
  }

  /** The API and the interface of its engines know each other, as java.nio.channels and its spi. */
  @Test
  void thereIsOneCircleOnly() {
    JavaPackage root = CLASSES.getPackage(OWN);

    assertThat(CLASSES.stream().map(JavaClass::getPackageName).distinct())
        .containsExactlyInAnyOrder(OWN, ENGINE);
    assertThat(root.getSubpackages().stream().map(JavaPackage::getName)).containsExactly(ENGINE);
  }

  /** Engines are written by others: what they see must be public, and say nothing of the core. */
  @Test
  void engineInterfaceKnowsTheApiOnly() {
    noClasses()
        .that()
        .resideInAPackage(ENGINE)
        .should()
        .dependOnClassesThat(describe(
            "are not public",
            type -> type.getPackageName().equals(OWN)
                && !type.getModifiers().contains(JavaModifier.PUBLIC)))
        .check(CLASSES);
  }
}
