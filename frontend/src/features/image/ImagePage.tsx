import { ImagePlus, RotateCw } from "lucide-react";
import { useCallback, useState } from "react";
import { useNavigate } from "react-router";
import { OptionsFields } from "@/components/OptionsFields";
import { Button } from "@/components/ui/Button";
import { DropOverlay } from "@/components/ui/DropOverlay";
import { DropZone } from "@/components/ui/DropZone";
import { Notice } from "@/components/ui/Notice";
import { DEFAULT_OPTIONS, isComplete, type ReadingOptions } from "@/lib/api";
import { isDocument } from "@/lib/files";
import { useI18n } from "@/lib/i18n";
import { incomingFiles, useIncomingFiles } from "@/lib/incoming";
import { useIsTouch } from "@/lib/useIsTouch";
import { useTitle } from "@/lib/useTitle";
import styles from "./ImagePage.module.css";
import { ReadingPanes } from "./ReadingPanes";
import { useReading } from "./useReading";

const ACCEPTED = "image/*,.heic,.heif,.avif,.tif,.tiff";

/** Drop a picture of a page, see its text beside it. */
export function ImagePage() {
  const { t } = useI18n();
  const [options, setOptions] = useState<ReadingOptions>(DEFAULT_OPTIONS);
  const [documents, setDocuments] = useState<File[]>([]);
  const [numLeftOut, setNumLeftOut] = useState(0);
  const reading = useReading();
  const navigate = useNavigate();
  const isTouch = useIsTouch();
  useTitle(t.title.image);

  const { read } = reading;
  const onFiles = useCallback(
    (files: File[]) => {
      const [picture, ...others] = files.filter((file) => !isDocument(file));
      setDocuments(files.filter(isDocument));
      setNumLeftOut(others.length);
      if (picture) read(picture, isComplete(options) ? options : DEFAULT_OPTIONS);
    },
    [options, read],
  );
  const isOver = useIncomingFiles("image", onFiles);

  const { picture } = reading;
  return (
    <div className={styles.page} data-open={picture !== null || undefined}>
      {!picture && (
        <div className={styles.intro}>
          <h1>{isTouch ? t.image.headingTouch : t.image.heading}</h1>
          <p>{t.image.help}</p>
        </div>
      )}
      {picture && <h1 className="visually-hidden">{picture.file.name}</h1>}
      <OptionsFields options={options} onChange={setOptions}>
        {picture && (
          <>
            <Button
              look="primary"
              icon={<RotateCw aria-hidden />}
              disabled={reading.isReading || !isComplete(options)}
              onClick={() => reading.read(picture.file, options)}
            >
              {t.image.readAgain}
            </Button>
            <Button
              className={styles.next}
              icon={<ImagePlus aria-hidden />}
              onClick={reading.clear}
            >
              {t.image.newPicture}
            </Button>
          </>
        )}
      </OptionsFields>
      {numLeftOut > 0 && <Notice tone="info">{t.image.leftOut(numLeftOut)}</Notice>}
      {documents.length > 0 && (
        <Notice
          tone="info"
          title={t.image.isPdf}
          action={
            <Button
              onClick={() => {
                incomingFiles.give(documents, "documents");
                void navigate("/documents");
              }}
            >
              {t.image.openPdf}
            </Button>
          }
        >
          {documents.map(({ name }) => name).join(", ")}
        </Notice>
      )}
      {picture ? (
        <>
          {isOver && <DropOverlay />}
          <ReadingPanes
            key={picture.url}
            picture={picture}
            reading={reading}
            onRetry={() => reading.read(picture.file, options)}
          />
        </>
      ) : (
        <DropZone
          label={t.image.dropZone}
          touchLabel={t.image.dropZoneTouch}
          accept={ACCEPTED}
          isOver={isOver}
          withCamera
          onFiles={onFiles}
        />
      )}
    </div>
  );
}
