import { Migration } from "@mikro-orm/migrations";

/** When a code package was last asked for, and the keys by which those nobody needs any more are found. */
export class CodePackageUse extends Migration {
  override up(): void {
    this.addSql("ALTER TABLE code_packages ADD COLUMN last_used_at DATETIME(3) NULL");
    this.addSql("UPDATE code_packages SET last_used_at = created_at");
    this.addSql(
      `ALTER TABLE code_packages MODIFY COLUMN last_used_at DATETIME(3) NOT NULL,
         ADD KEY code_packages_last_used (last_used_at), ADD KEY code_packages_sha256 (sha256)`,
    );
    this.addSql("ALTER TABLE tasks ADD KEY tasks_code_package (code_package_id)");
  }
}
