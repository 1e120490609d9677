import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.support.DefaultProfileValidationSupport;
import ca.uhn.fhir.validation.FhirValidator;
import ca.uhn.fhir.validation.ResultSeverityEnum;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.hl7.fhir.common.hapi.validation.support.CommonCodeSystemsTerminologyService;
import org.hl7.fhir.common.hapi.validation.support.InMemoryTerminologyServerValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.ValidationSupportChain;
import org.hl7.fhir.common.hapi.validation.validator.FhirInstanceValidator;

/** Validates every *.bundle.json under the given files and folders as FHIR R4; exits 1 on errors. */
public final class ValidateBundles {
  public static void main(String[] args) throws Exception {
    FhirContext context = FhirContext.forR4();
    FhirInstanceValidator module = new FhirInstanceValidator(new ValidationSupportChain(
        new DefaultProfileValidationSupport(context),
        new CommonCodeSystemsTerminologyService(context),
        new InMemoryTerminologyServerValidationSupport(context)));
    FhirValidator validator = context.newValidator().registerValidatorModule(module);
    List<Path> files = new ArrayList<>();
    for (String arg : args) {
      try (var found = Files.walk(Path.of(arg))) {
        found.filter(p -> p.toString().endsWith(".bundle.json")).sorted().forEach(files::add);
      }
    }
    if (files.isEmpty()) {
      System.err.println("no *.bundle.json given; pass files or folders");
      System.exit(2);
    }
    int errors = 0;
    int bad = 0;
    for (Path file : files) {
      int before = errors;
      for (var m : validator.validateWithResult(Files.readString(file)).getMessages()) {
        if (m.getSeverity() == ResultSeverityEnum.ERROR || m.getSeverity() == ResultSeverityEnum.FATAL) {
          errors++;
          System.out.println(file.getFileName() + "\t" + m.getLocationString() + "\t" + m.getMessage());
        }
      }
      if (errors > before) {
        bad++;
      }
    }
    System.out.println(files.size() + " bundles, " + bad + " with errors, " + errors + " errors");
    System.exit(errors == 0 ? 0 : 1);
  }
}
